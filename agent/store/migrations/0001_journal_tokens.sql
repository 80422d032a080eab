PRAGMA application_id = 0x61757462; -- "autb"

-- One row for each start of the daemon.
CREATE TABLE epochs (
	epoch      INTEGER PRIMARY KEY,
	started_at INTEGER NOT NULL -- Unix time in microseconds, as all times here
) STRICT;

-- The journal. n is the order of arrival; it makes pruning a range delete.
CREATE TABLE events (
	n     INTEGER PRIMARY KEY,
	epoch INTEGER NOT NULL,
	seq   INTEGER NOT NULL,
	type  TEXT    NOT NULL,
	at    INTEGER NOT NULL,
	json  BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_id ON events (epoch, seq);

-- Up to this id, included, events may be missing: pruned, or never written.
CREATE TABLE lost_through (
	one   INTEGER PRIMARY KEY CHECK (one = 1),
	epoch INTEGER NOT NULL,
	seq   INTEGER NOT NULL
) STRICT;
INSERT INTO lost_through VALUES (1, 0, 0);

CREATE TABLE tokens (
	id           TEXT PRIMARY KEY,
	name         TEXT NOT NULL UNIQUE,
	sha256       BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
	rights       TEXT NOT NULL, -- separated by commas
	created_at   INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL, -- 0: never
	last_used_at INTEGER NOT NULL  -- 0: never
) STRICT;

-- Small values that outlive a restart, such as the virtual devices.
CREATE TABLE settings (
	bucket TEXT NOT NULL,
	key    TEXT NOT NULL,
	value  BLOB NOT NULL,
	PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;
