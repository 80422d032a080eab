// Package store keeps what must outlive the daemon in one SQLite file in the
// state folder: the journal of events, the epochs, the API tokens (a hash of
// the secret, never the secret), leases and what they may have left in an
// authenticator, ceremonies under way, sources of refused PINs, login runs with
// their steps, and small settings. It has one writer, decides nothing about
// what it keeps, and never holds a PIN or a personal datum in clear that its
// callers did not hand it.
package store
