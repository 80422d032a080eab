-- What the last login run with an authenticator has shown of it, at each target
-- and as each user.
CREATE TABLE proofs (
	authenticator TEXT    NOT NULL,
	target        TEXT    NOT NULL,
	user          TEXT    NOT NULL,
	at            INTEGER NOT NULL,
	json          BLOB    NOT NULL,
	PRIMARY KEY (authenticator, target, user)
) STRICT, WITHOUT ROWID;
