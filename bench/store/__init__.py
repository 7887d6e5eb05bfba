"""The store beside databases and servers that do less: `./databox bench store`.

Everything runs in one run on this machine, servers on one core and the load on another, in short
windows that alternate, so that what else the machine does falls on all alike. Ratios are what
counts; figures of two machines cannot be compared.
"""
