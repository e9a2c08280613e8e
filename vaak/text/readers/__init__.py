"""What each named data set ships, row by row: its field names, its layout, what an id of it is."""
