"""Files that are converted before they are read: archives, workbooks, Arrow files, other encodings."""
