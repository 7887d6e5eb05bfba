"""The registry: which packages there are, what exactly is in them, and how they are started.

`content` says what a package is made of and names it by a digest; `recipe` and `dockerfile` say
how a folder without our `run` is started; all three decide without touching anything. `folder`
reads files, `bundle` is the index of what came with the release.

The composition root hands the bundle to the manager. The registry runs no code of a package and
never will: whatever has to run, runs in a sandbox.
"""
