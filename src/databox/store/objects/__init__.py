"""Large objects of a store: photos, attachments, recordings, each an encrypted file of its own.

    sealed.py   the form of such a file: chunks, keys, what binds them; pure
    stored.py   what is known of one, apart from its content
    files.py    writing and reading one file
    folder.py   which files there are
    rows.py     what the store's database knows of them: who holds which, by which key
    shelf.py    uploads under way, what is being read, and files that nobody holds
    ranges.py   which bytes a request asks for; pure

A store loads `sealed` and `files`, and with them the cipher, for its first object.
"""
