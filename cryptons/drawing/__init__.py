"""Pictures that are drawn by code: of the demo shop's things. Not in the shop, where nothing may count in fractions."""
