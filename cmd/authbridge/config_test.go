package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestABadConfigurationSaysFileLineColumnAndRemedyOfAllThatIsWrong(t *testing.T) {
	t.Parallel()
	_, _, err := parseConfig("c.toml", []byte(`listen = "0.0.0.0:80"
log-level = "debug"
virtual = "maybe"

[trace]
  adpu = true
probe_delay = 3
apdu = "yes"
`))
	var bad *ConfigError
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want a ConfigError", err)
	}
	text := err.Error()
	for _, want := range []string{
		"c.toml:1:1: listen is \"0.0.0.0:80\"", "mount its socket",
		"c.toml:2:1: unknown key log-level", "write log_level",
		"c.toml:3:1: virtual is \"maybe\"", "choose one of auto, on, off",
		"c.toml:6:3: unknown key trace.adpu", "write trace.apdu",
		"c.toml:7:1: unknown key trace.probe_delay",
		"c.toml:8:1: trace.apdu is yes", "write true or false",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
	for _, f := range bad.Findings {
		if f.Remedy == "" {
			t.Errorf("no remedy: %+v", f)
		}
	}
}

// TestAllThatIsWrongIsSaidAtOnce: of one client and one target, too, and what a key
// was meant to be.
func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := parseConfig("c.toml", []byte(`virtul = "on"
colour = "red"

[[mock.client]]
id = "one"
redirects = ["nowhere"]
pattern = "client_secret_post"
faults = ["bananas"]

[[target]]
name = "int"
max_age = "a week"
redirect = "https://app.example.nhs.uk/callback"
`))
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{
		"c.toml:1:1: unknown key virtul\n  → write virtual\n",
		"c.toml:2:1: unknown key colour\n  → take it out; the keys are listen, state_dir, log_level, virtual, physical, probe_delay, trace, relying_party, signing, pin, user, target, mock, registration\n",
		"c.toml:6:1: redirects: nowhere: ", "c.toml:4:1: a secret belongs to", `c.toml:8:1: faults has "bananas"`,
		`c.toml:12:1: max_age is "a week"`, "c.toml:10:1: it is not said how the client proves who it is",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in\n%v", want, err)
		}
	}
}

// TestBrokenTOMLIsTheOnlyFinding: what was not read is not said to be missing.
func TestBrokenTOMLIsTheOnlyFinding(t *testing.T) {
	t.Parallel()
	_, _, err := parseConfig("c.toml", []byte("[[mock.client]]\nid = \"one\"\npattern = client_secret_post\n"))
	var bad *ConfigError
	if !errors.As(err, &bad) || len(bad.Findings) != 1 || bad.Findings[0].Line != 3 {
		t.Errorf("it says %v", err)
	}
}

func TestABadTableOfAListSaysWhichItIs(t *testing.T) {
	t.Parallel()
	_, _, err := parseConfig("c.toml", []byte(`[[relying_party]]
id = "test.example"
origins = ["https://login.test.example"]
targets = ["mock"]

[[relying_party]]
id = "co.uk"
origins = ["https://a.co.uk"]
targets = ["prod"]

[[signing]]
certificate = "beef"
target = "int"

[[pin]]
authenticator = "card-1"
target = "mock"

[[pin]]
authenticator = 4
target = "mock"
file = "pin.txt"
colour = 1

[[pin]]
authenticator = "card-1"
target = "mock"
file = "/a/second"
`))
	if err == nil {
		t.Fatal("it passed")
	}
	for _, want := range []string{
		"c.toml:7:1: ", "c.toml:9:1: targets is \"prod\"", "c.toml:12:1: certificate is \"beef\"", "c.toml:15:1: not one of file and credential",
		"c.toml:20:1: authenticator is 4", "c.toml:22:1: file is \"pin.txt\"", "c.toml:23:1: unknown key pin", "c.toml:26:1: another PIN is bound",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %q in\n%s", want, err)
		}
	}
	if strings.Contains(err.Error(), "c.toml:2:") {
		t.Errorf("the good one is refused:\n%s", err)
	}
}

func TestATypeErrorHasItsPlace(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"virtual = 3\n", "virtual = \n", "virtual = \"on\"\nvirtual = \"off\"\n"} {
		_, _, err := parseConfig("c.toml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "c.toml:") {
			t.Errorf("%q: got %v, want a place", text, err)
		}
	}
}

func TestOneBadValueHidesNoOther(t *testing.T) {
	t.Parallel()
	_, _, err := parseConfig("c.toml", []byte("virtual = true\nlisten = 5\ncolour = 1\nlog_level = \"loud\"\nstate_dir = \"~/x\"\n"))
	if err == nil {
		t.Fatal("it passed")
	}
	var lines []string
	for l := range strings.SplitSeq(err.Error(), "\n") {
		if strings.HasPrefix(l, "c.toml:") {
			lines = append(lines, l[:len("c.toml:1")])
		}
	}
	if got := strings.Join(lines, " "); got != "c.toml:1 c.toml:2 c.toml:3 c.toml:4 c.toml:5" {
		t.Errorf("found %s in\n%v", got, err)
	}
}

func TestNoFileMeansTheEmbeddedDefault(t *testing.T) {
	t.Parallel()
	c, _, found, err := loadConfig(filepath.Join(t.TempDir(), "none.toml"))
	if err != nil || found || !reflect.DeepEqual(c, defaults()) {
		t.Errorf("got %+v, %v, %v", c, found, err)
	}
	if bad := validate(defaults()); len(bad) > 0 {
		t.Errorf("the default itself is bad: %+v", bad)
	}
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"127.0.0.1:17823": true, "127.0.0.1:0": true, "[::1]:17823": true, "localhost:17823": true, "127.9.9.9:1": false,
		"0.0.0.0:17823": false, ":17823": false, "[::]:17823": false, "192.168.1.2:17823": false, "10.0.0.1:1": false,
		"example.org:1": false, "127.0.0.1": false, "127.0.0.1:": false, "127.0.0.1:99999": false, "127.0.0.1:x": false, "": false,
		"127.0.0.1:43485": false, "127.0.0.1:55000": false, "localhost.evil.example:1": false, "127.0.0.1.evil.example:1": false,
	} {
		what, remedy := badListen(address)
		if (what == "") != ok {
			t.Errorf("%q: %q", address, what)
		}
		if what != "" && remedy == "" {
			t.Errorf("%q is refused without a remedy", address)
		}
	}
}

func TestTheReferenceNamesEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range configKeys {
		name := key[strings.LastIndex(key, ".")+1:]
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/configuration.md does not name %s", key)
		}
	}
	if !slices.Contains(configKeys, "listen") {
		t.Error("no keys")
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("listen = \"127.0.0.1:0\"\n[trace]\napdu = true\n"))
	f.Add([]byte("= = ="))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _, err := parseConfig("c.toml", text)
		var bad *ConfigError
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("not a ConfigError: %v", err)
		}
	})
}
