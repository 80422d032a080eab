package rpcheck

import (
	"context"
	"crypto/x509"
	"net"
	"strings"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Tokens makes logout tokens as a sign-in service does; wrong names what is wrong
// with one.
type Tokens interface {
	LogoutToken(client, user, session string, wrong ...string) (string, error)
}

// Party is an application as it is registered.
type Party struct {
	cis2.Registration
	// Issuer is whose tokens it takes.
	Issuer string
	// Tokens makes tokens in the issuer's name. At the mock they are the issuer's
	// own; elsewhere nobody but us has the key, and the application must refuse
	// them all. Nil: none are sent, and Silent says why.
	Tokens Tokens
	Silent string
	// Usage is what the application was seen to do; nil where nobody looks.
	Usage func(client string) cis2.Usage
	// Demo is whether it is only checked where no other is registered.
	Demo bool
}

// Config is what a checker needs.
type Config struct {
	Parties []Party
	// Roots are the authorities that everybody trusts; nil: the system's.
	Roots *x509.CertPool
	// Dial connects; nil: the network's own. It is for tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

const (
	// wholeTime bounds all calls of one check.
	wholeTime = time.Minute
	// most checks are made at a time: each calls somebody else's server.
	most = 4
)

// Checker checks applications. Its method may be called concurrently.
type Checker struct {
	config Config
	now    func() time.Time
	turns  chan struct{}
}

// New makes a checker.
func New(config Config) *Checker {
	c := &Checker{config: config, now: config.Now, turns: make(chan struct{}, most)}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// Check checks one application. What is wrong with it is no error.
func (c *Checker) Check(ctx context.Context, request contract.RelyingPartyRequest) (contract.RelyingParty, error) {
	party, err := c.find(request.Client, request.Target)
	if err != nil {
		return contract.RelyingParty{}, err
	}
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	default:
		return contract.RelyingParty{}, &failure.Error{Code: failure.RPBusy}
	}
	bounded, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	o := &check{Checker: c, web: newWeb(c.config.Dial), party: party}
	defer o.web.close()
	done := contract.RelyingParty{Client: party.ClientID, Name: party.Name, Target: party.Environment, Issuer: party.Issuer, StartedAt: c.now()}
	o.run(bounded)
	if err := ctx.Err(); err != nil {
		return contract.RelyingParty{}, err
	}
	done.EndedAt, done.Checks = c.now(), o.rows
	done.State, done.Summary = summary(o.rows)
	if request.Reports {
		done.Reports, err = render(done)
	}
	return done, err
}

// find finds the one that is meant.
func (c *Checker) find(client, target string) (Party, error) {
	var found, demo []Party
	for _, p := range c.config.Parties {
		switch {
		case client != "" && p.ClientID != client, target != "" && p.Environment != target:
		case p.Demo && client == "":
			demo = append(demo, p)
		default:
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		found = demo
	}
	switch len(found) {
	case 0:
		return Party{}, &failure.Error{Code: failure.RPUnknown, Field: "body.client", Detail: "registered: " + c.names(c.config.Parties)}
	case 1:
		return found[0], nil
	}
	return Party{}, &failure.Error{Code: failure.RPChoose, Field: "body.client", Detail: "name one, and with target where it is registered in several places: " + c.names(found)}
}

func (c *Checker) names(all []Party) string {
	if len(all) == 0 {
		return "none"
	}
	var names []string
	for _, p := range all {
		names = append(names, p.ClientID+" at "+p.Environment)
	}
	return strings.Join(names, ", ")
}
