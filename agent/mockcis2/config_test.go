package mockcis2_test

import (
	"testing"

	"authbridge/agent/cis2"
	"authbridge/agent/mockcis2"
)

func TestWhatIsNoConfiguration(t *testing.T) {
	t.Parallel()
	good := func() mockcis2.Client {
		return mockcis2.Client{Registration: cis2.Registration{ClientID: "a", Redirects: []string{"http://localhost:1/"}, Pattern: cis2.ClientSecret}, Secret: "s"}
	}
	server, err := mockcis2.New(mockcis2.Config{Base: "http://localhost:9000", Key: serverKey(), Clients: []mockcis2.Client{good()}})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*mockcis2.Client){
		"no secret":              func(c *mockcis2.Client) { c.Secret = "" },
		"a secret and a key":     func(c *mockcis2.Client) { c.Pattern, c.JWKS = cis2.PrivateKeyJWT, []byte("{}") },
		"a key that is nowhere":  func(c *mockcis2.Client) { c.Pattern, c.Secret = cis2.PrivateKeyJWT, "" },
		"no redirect":            func(c *mockcis2.Client) { c.Redirects = nil },
		"a redirect to a script": func(c *mockcis2.Client) { c.Redirects = []string{"javascript:alert(1)"} },
		"no id":                  func(c *mockcis2.Client) { c.ClientID = "" },
		"a page of a script":     func(c *mockcis2.Client) { c.AfterLogout = []string{"javascript://x/%0aalert(1)"} },
	} {
		c := good()
		change(&c)
		if err := server.SetClient(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, u := range map[string]mockcis2.User{
		"a UUID of 11 digits": {User: cis2.User{UUID: "12345678901", AAL: 3}},
		"AAL4":                {User: cis2.User{UUID: "123456789012", AAL: 4}},
		"AAL0":                {User: cis2.User{UUID: "123456789012"}},
	} {
		if err := server.SetUser(u); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if got := len(server.Users()); got != len(cis2.MockUsers()) {
		t.Errorf("%d users", got)
	}
}

// TestTheKeyIsMadeWhenItIsNeeded holds that a server starts at once, and that
// all who come first get the same key.
func TestTheKeyIsMadeWhenItIsNeeded(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *mockcis2.Config) { c.Key = nil })
	answers := make(chan string, 4)
	for range cap(answers) {
		go func() { answers <- string(r.browser().get(r.server.Endpoints().JWKS).body) }()
	}
	first := <-answers
	for range cap(answers) - 1 {
		if got := <-answers; got != first || len(got) < 300 {
			t.Errorf("%s, then %s", first, got)
		}
	}
}
