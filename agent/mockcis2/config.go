package mockcis2

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/cis2"
)

// Config is what a server is made of. Base, and what CardRoots trusts, are all
// that a sign-in needs.
type Config struct {
	// Base is the address that browsers and applications use: scheme, host and
	// port, the port also where it is the usual one, because CIS2's issuer has
	// it. WebAuthn needs a name for a host: http://localhost:9000.
	Base string
	// CardRoots and CardIntermediates are the authorities of smartcards; without
	// roots no smartcard signs in.
	CardRoots, CardIntermediates *x509.CertPool
	// Target is the name under which a physical card signs for this server; mock
	// where it is empty.
	Target string

	Clients []Client
	Users   []User // beside, or in place of, those of the public mock
	Faults  []Faulting
	// ACRs and AMRs replace the tables as shipped.
	ACRs cis2.ACRs
	AMRs cis2.AMRs

	// Store keeps what users registered; nil keeps it in memory.
	Store Store
	// Key signs tokens; nil makes one when it is first needed.
	Key *rsa.PrivateKey
	// HTTP fetches the keys of clients and brings logout tokens.
	HTTP *http.Client
	// Now is the clock, After a timer.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
	// Log gets what was decided, without codes, tokens, secrets and users.
	Log logrus.FieldLogger
}

// Client is an application that may send users here.
type Client struct {
	cis2.Registration
	Secret string // for client_secret_post
	// Basic takes the secret in the Authorization header too; CIS2 does not.
	Basic bool
	// LevelsAsNumbers writes both levels as numbers: CIS2's were seen both ways.
	LevelsAsNumbers bool
}

// User is somebody who can sign in. AAL is the highest level at which.
type User struct {
	cis2.User
	// TOTP reads the secret of an authenticator application, base32, which is
	// wiped once it was used; nil: one can be registered on the page.
	TOTP func() ([]byte, error)
}

const keyBits = 2048

// complete fills in what was left out, and finds what cannot be.
func (c Config) complete() (Config, *url.URL, error) {
	base, err := url.Parse(c.Base)
	switch {
	case err != nil:
		return c, nil, errors.New("base: not a URI")
	case base.Scheme != "http" && base.Scheme != "https", base.Hostname() == "", base.Port() == "",
		base.Path != "", base.RawQuery != "", base.Fragment != "", base.User != nil, c.Base != base.Scheme+"://"+base.Host:
		return c, nil, errors.New("base: allowed is scheme, host and port alone, the port even where it is the usual one")
	}
	c.Target = cmp.Or(c.Target, cis2.Mock)
	if c.ACRs == nil {
		c.ACRs = cis2.DefaultACRs()
	}
	if c.AMRs == nil {
		c.AMRs = cis2.DefaultAMRs()
	}
	if c.Store == nil {
		c.Store = NewMemory()
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{
			Timeout:       fetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		c.Log = silent
	}
	return c, base, nil
}

// check is what a client needs to be one.
func (c Client) check() error {
	r := c.Registration
	r.Environment = cis2.Mock
	if problems := r.Problems(); len(problems) > 0 {
		return fmt.Errorf("client %q: %s: %s", c.ClientID, problems[0].Field, problems[0].Text)
	}
	if (c.Pattern == cis2.ClientSecret) != (c.Secret != "") {
		return fmt.Errorf("client %q: a secret belongs to client_secret_post, and to nothing else", c.ClientID)
	}
	return nil
}

func (u User) check() error {
	switch {
	case !cis2.ValidUser(u.UUID):
		return errors.New("user: a UUID has 12 digits")
	case u.AAL < 1 || u.AAL > 3 || u.IAL < 0 || u.IAL > 3:
		return errors.New("user: allowed levels: AAL 1 to 3, IAL 0 to 3")
	}
	return nil
}
