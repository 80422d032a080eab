package webauthn

import (
	"strings"
	"testing"
)

func TestWhoMayClaimAnRPID(t *testing.T) {
	t.Parallel()
	// The list names everything that a row might get by mistake.
	parties := []Party{
		{ID: "example.org", Origins: []string{"https://example.org", "https://login.example.org:8443", "https://a.b.example.org"}, Targets: []string{"mock", "int"}},
		{ID: "login.example.org", Origins: []string{"https://login.example.org:8443"}, Targets: []string{"mock"}},
		{ID: "localhost", Origins: []string{"http://localhost:*", "https://localhost:*"}, Targets: []string{"mock"}},
		{ID: "app.localhost", Origins: []string{"http://app.localhost:3000"}, Targets: []string{"mock"}},
		{ID: "co.uk", Origins: []string{"https://co.uk", "https://nhs.co.uk"}, Targets: []string{"mock"}},
		{ID: "github.io", Origins: []string{"https://github.io", "https://me.github.io"}, Targets: []string{"mock"}},
		{ID: "intranet", Origins: []string{"https://intranet"}, Targets: []string{"mock"}},
		{ID: "org", Origins: []string{"https://example.org", "https://org"}, Targets: []string{"mock"}},
		{ID: "127.0.0.1", Origins: []string{"https://127.0.0.1", "http://127.0.0.1:8080"}, Targets: []string{"mock"}},
		{ID: "EXAMPLE.org", Origins: []string{"https://example.org"}, Targets: []string{"mock"}},
		{ID: "example.org.", Origins: []string{"https://example.org.", "https://example.org"}, Targets: []string{"mock"}},
		{ID: "xn--bcher-kva.example", Origins: []string{"https://xn--bcher-kva.example"}, Targets: []string{"mock"}},
		{ID: "prod.example", Origins: []string{"https://prod.example"}, Targets: []string{"prod"}},
	}
	for _, row := range []struct {
		what                    string
		origin, top, target, id string
		name                    ErrorName
		kind                    Kind
		field                   string
		want                    string
	}{
		{what: "the host is the default", origin: "https://example.org", want: "example.org"},
		{what: "equal", origin: "https://example.org", id: "example.org", want: "example.org"},
		{what: "a suffix, and the port counts not", origin: "https://login.example.org:8443", id: "example.org", want: "example.org"},
		{what: "two labels less", origin: "https://a.b.example.org", id: "example.org", want: "example.org"},
		{what: "default below", origin: "https://login.example.org:8443", want: "login.example.org"},
		{what: "localhost, any port", origin: "http://localhost:17823", want: "localhost"},
		{what: "localhost, its own port", origin: "http://localhost", want: "localhost"},
		{what: "below localhost", origin: "http://app.localhost:3000", want: "app.localhost"},
		{what: "punycode", origin: "https://xn--bcher-kva.example", want: "xn--bcher-kva.example"},
		{what: "framed", origin: "https://example.org", top: "https://shop.example:444", want: "example.org"},
		{what: "framed by a local page", origin: "https://example.org", top: "http://localhost:3000", want: "example.org"},
		{what: "framed by an address", origin: "https://example.org", top: "https://[2001:db8::1]:8443", want: "example.org"},

		{what: "opaque", origin: "null", name: NotAllowedError, kind: OriginRefused, field: "origin"},
		{what: "none", origin: "", name: NotAllowedError, kind: OriginRefused, field: "origin"},
		{what: "http", origin: "http://example.org", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "another scheme", origin: "chrome-extension://example.org", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "IPv4", origin: "https://127.0.0.1", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "IPv4, http", origin: "http://127.0.0.1:8080", id: "127.0.0.1", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "IPv6", origin: "https://[::1]:8443", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "IPv4 in other forms", origin: "https://example.0x7f", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "a path", origin: "https://example.org/", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "a user", origin: "https://a@example.org", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "the scheme's own port", origin: "https://example.org:443", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "a port with zeros", origin: "http://localhost:0080", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "a port too many", origin: "http://localhost:65536", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "no port", origin: "http://localhost:", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "a pattern", origin: "http://localhost:*", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "upper case", origin: "https://Example.org", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "a dot at the end", origin: "https://example.org.", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "not in Punycode", origin: "https://bücher.example", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "localhost as a prefix", origin: "http://localhost.example.org", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "localhost in a name", origin: "http://notlocalhost", name: SecurityError, kind: OriginRefused, field: "origin"},
		{what: "framed by http", origin: "https://example.org", top: "http://shop.example", name: SecurityError, kind: OriginRefused, field: "top"},
		{what: "framed by an opaque one", origin: "https://example.org", top: "null", name: NotAllowedError, kind: OriginRefused, field: "top"},
		{what: "framed by a broken address", origin: "https://example.org", top: `https://[::1"]`, name: SecurityError, kind: OriginRefused, field: "top"},
		{what: "framed by a pattern", origin: "https://example.org", top: "https://localhost:*", name: SecurityError, kind: OriginRefused, field: "top"},

		{what: "another", origin: "https://example.org", id: "example.com", name: SecurityError, kind: RPIDRefused},
		{what: "below", origin: "https://example.org", id: "login.example.org", name: SecurityError, kind: RPIDRefused},
		{what: "a suffix that is no label", origin: "https://login.example.org:8443", id: "ample.org", name: SecurityError, kind: RPIDRefused},
		{what: "a public suffix", origin: "https://example.org", id: "org", name: SecurityError, kind: RPIDRefused},
		{what: "a public suffix that is the host", origin: "https://co.uk", name: SecurityError, kind: RPIDRefused},
		{what: "a public suffix of two labels", origin: "https://nhs.co.uk", id: "co.uk", name: SecurityError, kind: RPIDRefused},
		{what: "one that a company runs", origin: "https://me.github.io", id: "github.io", name: SecurityError, kind: RPIDRefused},
		{what: "a name of one label", origin: "https://intranet", name: SecurityError, kind: RPIDRefused},
		{what: "localhost for what is below it", origin: "http://app.localhost:3000", id: "localhost", name: SecurityError, kind: RPIDRefused},
		{what: "upper case", origin: "https://example.org", id: "EXAMPLE.org", name: SecurityError, kind: RPIDRefused},
		{what: "a dot at the end", origin: "https://example.org", id: "example.org.", name: SecurityError, kind: RPIDRefused},
		{what: "an address", origin: "https://example.org", id: "127.0.0.1", name: SecurityError, kind: RPIDRefused},
		{what: "a URL", origin: "https://example.org", id: "https://example.org", name: SecurityError, kind: RPIDRefused},

		{what: "not listed", origin: "https://other.example", name: SecurityError, kind: NotListed},
		{what: "another port", origin: "https://example.org:8443", name: SecurityError, kind: NotListed},
		{what: "another scheme", origin: "https://app.localhost:3000", name: SecurityError, kind: NotListed},
		{what: "another target", origin: "https://example.org", target: "dep", name: SecurityError, kind: NotListed},
		{what: "no target", origin: "https://example.org", target: "-", name: SecurityError, kind: NotListed},
		{what: "an RP ID of another line", origin: "https://a.b.example.org", name: SecurityError, kind: NotListed},
		{what: "any port of another host", origin: "http://x.localhost:1", name: SecurityError, kind: NotListed},
		{what: "prod, though listed", origin: "https://prod.example", target: "prod", name: SecurityError, kind: NotListed},
	} {
		page := Page{Origin: row.origin, Top: row.top, Target: "mock"}
		switch row.target {
		case "":
		case "-":
			page.Target = ""
		default:
			page.Target = row.target
		}
		got, err := claim(page, row.id, parties)
		t.Run(row.what, func(t *testing.T) {
			wantError(t, err, row.name, row.kind, row.field)
			if got != row.want {
				t.Errorf("RP ID %q, want %q", got, row.want)
			}
		})
	}
}

// TestDigitsAreNoRPIDAndNotRepeated: a PIN that stands where the RP ID belongs
// does not come back.
func TestDigitsAreNoRPIDAndNotRepeated(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"48151623", "481516", "0x48151623", "127.0.0.1"} {
		_, err := claim(Page{Origin: "http://localhost:3000", Target: "mock"}, id, nil)
		wantError(t, err, SecurityError, RPIDRefused, "")
		if strings.Contains(err.Error(), id) {
			t.Errorf("%s: it comes back: %v", id, err)
		}
	}
}

// TestSuffixes has the examples of HTML, 7.1.1.2, and of the list's own tests.
func TestSuffixes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		suffix, host string
		want         bool
	}{
		{"localhost", "localhost", true},
		{"com", "com", true}, // equal is equal; isPublic has the rest
		{"example.com", "example.com", true},
		{"example.com", "www.example.com", true},
		{"com", "example.com", false},
		{"example", "example.com", false},
		{"compute.amazonaws.com", "example.compute.amazonaws.com", false},
		{"amazonaws.com", "example.compute.amazonaws.com", false},
		{"amazonaws.com", "www.example.compute.amazonaws.com", false},
		{"amazonaws.com", "test.amazonaws.com", true},
		{"kobe.jp", "x.y.kobe.jp", false},
		{"city.kobe.jp", "www.city.kobe.jp", true},
		{"ck", "www.ck", false},
		{"www.ck", "a.www.ck", true},
	} {
		if got := isSuffixOrEqual(row.suffix, row.host); got != row.want {
			t.Errorf("%s of %s: %v", row.suffix, row.host, got)
		}
	}
}

func TestAnyPortIsForLocalhostAlone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		listed, actual string
		want           bool
	}{
		{"http://localhost:*", "http://localhost", true},
		{"http://localhost:*", "http://localhost:1", true},
		{"http://localhost:*", "https://localhost:1", false},
		{"http://localhost:*", "http://localhost.example.org", false},
		{"http://localhost:1", "http://localhost:1", true},
		{"http://localhost:1", "http://localhost:11", false},
		{"https://example.org:*", "https://example.org:1", false},
		{"http://a.localhost:*", "http://a.localhost:1", false},
	} {
		if got := allowsOrigin(row.listed, row.actual); got != row.want {
			t.Errorf("%s for %s: %v", row.listed, row.actual, got)
		}
	}
}

func TestPartiesAreChecked(t *testing.T) {
	t.Parallel()
	good := Party{ID: "example.org", Origins: []string{"https://example.org", "https://sso.example.org:8443"}, Targets: []string{"int", "dep"}}
	for _, row := range []struct {
		what  string
		spoil func(*Party)
		name  ErrorName
		kind  Kind
		field string
	}{
		{what: "good", spoil: func(*Party) {}},
		{what: "localhost", spoil: func(p *Party) { *p = Party{"localhost", []string{"http://localhost:*"}, []string{"mock"}} }},
		{"no ID", func(p *Party) { p.ID = "" }, TypeError, Malformed, "id"},
		{"upper case", func(p *Party) { p.ID = "Example.org" }, TypeError, Malformed, "id"},
		{"an address", func(p *Party) { p.ID = "10.0.0.1" }, TypeError, Malformed, "id"},
		{"a public suffix", func(p *Party) { p.ID = "org" }, TypeError, Malformed, "id"},
		{"a public suffix of two labels", func(p *Party) { p.ID = "nhs.uk" }, TypeError, Malformed, "id"},
		{"one label", func(p *Party) { p.ID = "intranet" }, TypeError, Malformed, "id"},
		{"no origin", func(p *Party) { p.Origins = nil }, TypeError, Malformed, "origins"},
		{"a malformed origin", func(p *Party) { p.Origins[1] = "sso.example.org" }, SecurityError, OriginRefused, "origins[1]"},
		{"a slash at the end", func(p *Party) { p.Origins[1] = "https://sso.example.org/" }, SecurityError, OriginRefused, "origins[1]"},
		{"an opaque origin", func(p *Party) { p.Origins[0] = "null" }, NotAllowedError, OriginRefused, "origins[0]"},
		{"http", func(p *Party) { p.Origins[0] = "http://example.org" }, SecurityError, OriginRefused, "origins[0]"},
		{"an origin with an address", func(p *Party) { p.Origins[0] = "https://10.0.0.1" }, SecurityError, OriginRefused, "origins[0]"},
		{"any port", func(p *Party) { p.Origins[0] = "https://example.org:*" }, TypeError, Malformed, "origins[0]"},
		{"any port below localhost", func(p *Party) {
			*p = Party{"a.localhost", []string{"http://a.localhost:*"}, []string{"mock"}}
		}, TypeError, Malformed, "origins[0]"},
		{"any host", func(p *Party) { p.Origins[0] = "https://*.example.org" }, SecurityError, OriginRefused, "origins[0]"},
		{"an origin that may not claim it", func(p *Party) { p.Origins[1] = "https://example.com" }, TypeError, Malformed, "origins[1]"},
		{"no target", func(p *Party) { p.Targets = nil }, TypeError, Malformed, "targets"},
		{"an empty target", func(p *Party) { p.Targets[1] = "" }, TypeError, Malformed, "targets[1]"},
		{"prod", func(p *Party) { p.Targets[1] = "prod" }, TypeError, Malformed, "targets[1]"},
	} {
		p := Party{good.ID, append([]string{}, good.Origins...), append([]string{}, good.Targets...)}
		row.spoil(&p)
		t.Run(row.what, func(t *testing.T) {
			wantError(t, ValidateParty(p), row.name, row.kind, row.field)
		})
	}
}
