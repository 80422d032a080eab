package login

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
)

// Config is what a runner needs.
type Config struct {
	Targets    []Target
	Leases     Leases
	Ceremonies Ceremonies
	Inventory  Inventory
	// Judge answers how ready authenticators are, from a snapshot.
	Judge func(contract.Question, *contract.Snapshot) contract.Verdict
	Store Store
	// Virtual and Mock are for scenarios; nil where there is none.
	Virtual Virtual
	Mock    Mock
	// VirtualPIN is that of every virtual authenticator.
	VirtualPIN string
	// Look looks at a real target now, and judges whether it can be reached and
	// what it offers; it bounds itself to less than 10 s. Nil: a run finds out as
	// it goes.
	Look func(ctx context.Context, target string) []contract.Check
	// Party judges tokens; nil is [Assert].
	Party Party
	// Transport carries HTTP; nil is one of our own, with TLS 1.2 at least.
	Transport http.RoundTripper
	// CallTime bounds one exchange with the sign-in service; 0 is 8 s.
	CallTime time.Duration
	// Keep and KeepFor bound what is kept of runs that are over; 0 is 5,000 and
	// 90 days.
	Keep    int
	KeepFor time.Duration
	// Learn takes what a run has shown of its authenticator, once that is kept. It
	// must not block; nil: nobody wants to know.
	Learn func(contract.Proof)
	// Tell takes events in their order. It must not block for long; nil tells
	// nobody.
	Tell func(...contract.Event)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log gets what nobody waits for; nil is none.
	Log logrus.FieldLogger
}

const (
	defaultCallTime = 8 * time.Second
	defaultKeep     = 5000
	defaultKeepFor  = 90 * 24 * time.Hour
	defaultMaxAge   = 5 * time.Minute // as MAVIS and the API platform have it
)

// complete fills in what was left out. close is of what was made here.
func (c Config) complete() (complete Config, closeIdle func()) {
	closeIdle = func() {}
	if c.Transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
		own.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		own.MaxIdleConnsPerHost = 16
		c.Transport, closeIdle = own, own.CloseIdleConnections
	}
	if c.Party == nil {
		c.Party = Assert
	}
	if c.Tell == nil {
		c.Tell = func(...contract.Event) {}
	}
	if c.Learn == nil {
		c.Learn = func(contract.Proof) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		c.Log = silent
	}
	c.CallTime, c.Keep, c.KeepFor = cmp.Or(c.CallTime, defaultCallTime), cmp.Or(c.Keep, defaultKeep), cmp.Or(c.KeepFor, defaultKeepFor)
	targets := make([]Target, len(c.Targets))
	for i, t := range c.Targets {
		t.MaxAge = cmp.Or(t.MaxAge, defaultMaxAge)
		if t.ACRs == nil {
			t.ACRs = cis2.DefaultACRs()
		}
		if t.AMRs == nil {
			t.AMRs = cis2.DefaultAMRs()
		}
		targets[i] = t
	}
	c.Targets = targets
	return c, closeIdle
}
