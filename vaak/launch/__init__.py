"""The launch order (SPEC G4) walked as a resumable sequence of gates over a project file, with recorded evidence."""
