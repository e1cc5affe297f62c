"""The fault table under full load, against a server process of its own: the tests' long form.

Reading order: load.py is the clients' process and load_process.py its handle; shop.py pushes
versions, served.py runs the server; trial.py takes down what one row comes to; the rows are in
versions.py, ends.py, crowds.py and requests.py; report.py prints the table, __main__.py runs it.
"""
