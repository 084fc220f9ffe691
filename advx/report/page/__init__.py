"""The page that comes out of finished runs: one file of HTML that asks no network for anything."""
