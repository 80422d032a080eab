-- The highest fence number that a lease ever had: it outlives the leases.
CREATE TABLE fence (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	number INTEGER NOT NULL
) STRICT;
INSERT INTO fence VALUES (1, 0);

-- Leases that were taken and have not ended.
CREATE TABLE leases (
	id         TEXT PRIMARY KEY,
	fence      INTEGER NOT NULL,
	json       BLOB    NOT NULL, -- what callers see of it
	token_id   TEXT    NOT NULL, -- of who took it; empty: an identity of the operating system
	name       TEXT    NOT NULL,
	expires_at INTEGER NOT NULL, -- of the token that took it; 0: never
	ttl        INTEGER NOT NULL, -- in nanoseconds
	keep       INTEGER NOT NULL,
	sha256     BLOB    NOT NULL CHECK (length(sha256) = 32) -- of the lease's own token
) STRICT;
CREATE TRIGGER leases_fence AFTER INSERT ON leases BEGIN
	UPDATE fence SET number = new.fence WHERE number < new.fence;
END;

-- Sources of PINs that an authenticator refused. There is no PIN here, and
-- nothing that is made of one.
CREATE TABLE pin_blocks (
	authenticator TEXT NOT NULL,
	source        TEXT NOT NULL,
	at            INTEGER NOT NULL,
	PRIMARY KEY (authenticator, source)
) STRICT, WITHOUT ROWID;

-- What leases may have left in authenticators, to be undone at their end.
CREATE TABLE traces (
	n             INTEGER PRIMARY KEY,
	lease         TEXT    NOT NULL,
	authenticator TEXT    NOT NULL,
	verified      INTEGER NOT NULL,
	rp_id         TEXT    NOT NULL,
	user          BLOB    NOT NULL,
	at            INTEGER NOT NULL
) STRICT;
CREATE INDEX traces_lease ON traces (lease);

-- Ceremonies that are not over, so that a restart can say what became of them.
CREATE TABLE ceremonies (
	id   TEXT PRIMARY KEY,
	json BLOB NOT NULL
) STRICT;
