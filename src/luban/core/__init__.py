"""The vocabulary of the house: types, protocols, errors and the plug-in table. Pure: no files, no frameworks."""
