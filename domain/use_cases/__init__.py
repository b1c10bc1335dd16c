"""The verbs: what can be done with the library, a folder for each subject."""
