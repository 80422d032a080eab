package rpcheck

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// handshake is what a server showed of itself.
type handshake struct {
	host    string // that it was called by
	version uint16 // the best that it has
	// asCIS2 is whether it also takes TLS 1.2 with the suites of CIS2.
	asCIS2 bool
	chain  []*x509.Certificate // as sent, its own first
	inside bool                // its address is of a private network or of this machine
}

// cis2Suites are those that CIS2 is documented with, for TLS 1.2 (NHS: security
// considerations).
var cis2Suites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
}

// soon is when a certificate that nobody renews is remarked.
const soon = 14 * 24 * time.Hour

// judgeHandshake looks at version, chain, root, dates and name, each for itself:
// an expired certificate for another name of an unknown root is three findings.
// roots nil are the system's.
func judgeHandshake(h handshake, roots *x509.CertPool, now time.Time) []row {
	rows := []row{tlsRow(h)}
	if len(h.chain) == 0 {
		return rows
	}
	chain, root := chainRows(h, roots, now)
	return append(rows, chain, root, datesRow(h.chain[0], now), nameRow(h))
}

func certificateRow(name, expected, clause string) row {
	return row{Name: name, State: contract.Pass, Expected: expected, Clause: clause, Code: string(failure.RPCertificate)}
}

func tlsRow(h handshake) row {
	r := certificateRow("tls-version", "TLS 1.2 or newer, 1.2 among it", "NHS: security considerations; RFC 9325, 3.1")
	r.Got = tls.VersionName(h.version)
	switch {
	case h.version < tls.VersionTLS12:
		r.State, r.Remedy = contract.Fail, "Switch TLS 1.2 on, and everything older off."
	case !h.asCIS2:
		r.State, r.Evidence = contract.Warn, "TLS 1.2 with ECDHE and AES-GCM is not taken, and CIS2 is documented with nothing else"
		r.Remedy = "Let the server take TLS 1.2 with ECDHE and AES-GCM beside TLS 1.3."
	}
	return r
}

// chainRows are whether the chain is complete, and where it ends.
func chainRows(h handshake, roots *x509.CertPool, now time.Time) (chain, root row) {
	chain = certificateRow("certificate-chain", "its own certificate and all intermediate ones", "RFC 8446, 4.4.2; NHS: test your software")
	root = certificateRow("certificate-root", "an authority that everybody trusts", "NHS: test your software")
	chain.Got = fmt.Sprintf("%d certificates", len(h.chain))
	if len(h.chain) == 1 {
		chain.Got = "1 certificate"
	}
	leaf, between := h.chain[0], x509.NewCertPool()
	for _, c := range h.chain[1:] {
		between.AddCert(c)
	}
	// Dates are another row's matter: it is judged as of a time when it was good.
	at := now
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter.Add(-time.Second)
	}
	if at.Before(leaf.NotBefore) {
		at = leaf.NotBefore.Add(time.Second)
	}
	verified, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at})
	if err == nil {
		path := verified[0]
		root.Got = subjectOf(path[len(path)-1])
		return chain, root
	}
	last := lastOf(h.chain)
	var authority x509.UnknownAuthorityError
	var system x509.SystemRootsError
	switch {
	case errors.As(err, &system):
		root.State, root.Evidence = contract.Unknown, "this machine has no list of authorities"
		chain.State, chain.Evidence = contract.Unknown, root.Evidence
	case !errors.As(err, &authority):
		chain.State, chain.Evidence = contract.Fail, printable(err.Error(), mostEvidence)
		chain.Remedy = "Have the authority issue the certificate again, and send it with all intermediate ones."
		root.State, root.Evidence = contract.Unknown, "the chain is not good"
	case selfIssued(last):
		root.State, root.Got = contract.Fail, subjectOf(last)
		root.Evidence = "the chain ends at an authority that this machine does not trust"
		root.Remedy = "Have the certificate issued by a public authority: CIS2 trusts no private one."
	case last == leaf:
		chain.State = contract.Fail
		chain.Evidence = "nothing sent leads from it to " + printable(leaf.Issuer.String(), mostEvidence) + ", or that is a private authority"
		chain.Remedy = "Have the server send all intermediate certificates after its own (the file is often called fullchain): browsers find them by themselves, CIS2 does not."
		root.State, root.Evidence = contract.Unknown, "the chain is not complete"
	default:
		root.State, root.Got = contract.Fail, printable(last.Issuer.String(), mostEvidence)
		root.Evidence = "what was sent ends at " + subjectOf(last) + ", whose issuer this machine does not trust"
		root.Remedy = "Have the certificate issued by a public authority, and send all certificates between it and its root."
	}
	return chain, root
}

// lastOf follows the chain from the server's own certificate through what was
// sent.
func lastOf(sent []*x509.Certificate) *x509.Certificate {
	at := sent[0]
	for range sent {
		next := at
		for _, c := range sent[1:] {
			if c != at && string(c.RawSubject) == string(at.RawIssuer) && at.CheckSignatureFrom(c) == nil {
				next = c
			}
		}
		if next == at {
			break
		}
		at = next
	}
	return at
}

func selfIssued(c *x509.Certificate) bool {
	return string(c.RawSubject) == string(c.RawIssuer)
}

func subjectOf(c *x509.Certificate) string { return printable(c.Subject.String(), mostEvidence) }

func datesRow(leaf *x509.Certificate, now time.Time) row {
	r := certificateRow("certificate-dates", "valid now, and for two weeks more", "RFC 5280, 4.1.2.5")
	left := leaf.NotAfter.Sub(now)
	days := int(math.Floor(left.Hours() / 24))
	r.Got = fmt.Sprintf("until %s, %d days left", leaf.NotAfter.UTC().Format(time.DateOnly), days)
	switch {
	case left < 0:
		r.State, r.Got = contract.Fail, "expired on "+leaf.NotAfter.UTC().Format(time.DateOnly)
		r.Remedy = "Renew the certificate, and have it renewed by itself from now on."
	case now.Before(leaf.NotBefore):
		r.State, r.Got = contract.Fail, "valid from "+leaf.NotBefore.UTC().Format(time.DateOnly)+" on"
		r.Remedy = "Use the certificate of today, or look at the clock of this machine."
	case left < soon:
		r.State, r.Remedy = contract.Warn, "Renew the certificate before it expires, and have it renewed by itself from now on."
	}
	return r
}

func nameRow(h handshake) row {
	r := certificateRow("certificate-name", h.host, "RFC 6125, 6.4; NHS: security considerations")
	r.Got = "it is among its names"
	if err := h.chain[0].VerifyHostname(h.host); err != nil {
		r.State, r.Got = contract.Fail, printable(err.Error(), mostEvidence)
		r.Remedy = "Have the certificate issued for the name in the registered address, as subject alternative name."
	}
	return r
}

// mostEvidence bounds a text that somebody else wrote, in octets.
const mostEvidence = 200
