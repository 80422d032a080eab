// Package piv speaks to the PIV card application (SP 800-73-4) over a
// transmitter of APDUs: what a card holds, the state of its PIN without
// spending a try, PIN verification and signatures.
//
// [Read] never sends a PIN, nor anything that could cost a try. [Verify] is the
// only function that sends one; it refuses to unless enough tries were seen to
// be left, sends it once, and is called for a person's explicit request only.
// Nothing here writes to a card. The caller holds the transaction.
package piv
