-- Whose a token or lease is: the user of the operating system whose rights bound
-- it, by uid or SID; empty: not known.
ALTER TABLE tokens ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
ALTER TABLE leases ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
