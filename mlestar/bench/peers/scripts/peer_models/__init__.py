"""What runs in the environments of other libraries: no module here imports the package.

`tables` reads what the host wrote and writes predictions; every other module fits one library.
"""
