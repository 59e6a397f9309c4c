"""What the suite has promised, and the means to hold it to that.

authorization   who may use which route: declared, expected and observed
serving         services as a process would serve them, on a database of their own
streaming       a browser that follows a stream
sample          a small service with pages, to try the means on
"""
