package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"authbridge/agent/contract"
)

func TestAScenarioFileIsACrossProduct(t *testing.T) {
	t.Parallel()
	f, err := parseSuite("logins.toml", []byte(`
purpose = "release 4.2"
timeout = "30s"
parallel = 3

[[matrix]]
users = ["656005750105", "656005750107"]
authenticators = ["smartcard", "key-0123456789ab"]
acr = ["AAL3_ANY", "AAL2_ANY AAL3_ANY"]
scenarios = ["sign-in", "sso"]

[[matrix]]
scenarios = ["pin-blocked"]
origin = "virtual"
`))
	if err != nil {
		t.Fatal(err)
	}
	runs := f.runs("suite-0123456789abcdef")
	if len(runs) != 17 || f.Parallel != 3 {
		t.Fatalf("%d runs, %d at once", len(runs), f.Parallel)
	}
	same := contract.LoginRequest{Target: "mock", Purpose: "release 4.2", Timeout: "30s", Queue: suiteQueue, Suite: "suite-0123456789abcdef"}
	for at, want := range map[int]contract.LoginRequest{
		0:  {User: "656005750105", Kind: contract.Smartcard, ACR: "AAL3_ANY", Scenario: contract.ScenarioSignIn},
		1:  {User: "656005750105", Kind: contract.Smartcard, ACR: "AAL3_ANY", Scenario: contract.ScenarioSSO},
		7:  {User: "656005750105", Authenticator: "key-0123456789ab", ACR: "AAL2_ANY AAL3_ANY", Scenario: contract.ScenarioSSO},
		8:  {User: "656005750107", Kind: contract.Smartcard, ACR: "AAL3_ANY", Scenario: contract.ScenarioSignIn},
		16: {Scenario: contract.ScenarioPINBlocked, Origin: contract.Virtual},
	} {
		want.Target, want.Purpose, want.Timeout, want.Queue, want.Suite = same.Target, same.Purpose, same.Timeout, same.Queue, same.Suite
		if runs[at].request != want {
			t.Errorf("run %d is %+v, want %+v", at, runs[at].request, want)
		}
	}
}

// TestWhatIsWrongWithAScenarioFileIsNamedByItsPlace: all of it at once, each with
// what to do.
func TestWhatIsWrongWithAScenarioFileIsNamedByItsPlace(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text string
		want []string // line:column: what
	}{
		"it is no TOML":                 {"[[matrix]\nacr = 1", []string{"1:9: "}},
		"nothing is to be run":          {"purpose = \"x\"", []string{": there is no [[matrix]]"}},
		"a key that there is not":       {"targets = \"mock\"\n[[matrix]]\nuser = [\"656005750105\"]", []string{"1:1: unknown key targets", "3:1: unknown key matrix.user"}},
		"a value of another type":       {"target = 3\n[[matrix]]\nacr = \"AAL3_ANY\"\norigin = 1", []string{"1:1: target is 3", "3:1: acr is no list of texts", "4:1: origin is 1"}},
		"numbers and times":             {"parallel = 0\ntimeout = \"soon\"\nqueue = \"11m\"\n[[matrix]]", []string{"1:1: parallel is 0", "2:1: timeout is \"soon\"", "3:1: queue is \"11m\""}},
		"a purpose that is no line":     {"purpose = \"a\\nb\"\n[[matrix]]", []string{"1:1: purpose has other characters"}},
		"values, each where it is":      {"[[matrix]]\nusers = [\"656005750105\",\n  \"12\"]\nacr = [\"\"]\n[[matrix]]\nscenarios = ['sign-in', 'bananas']\norigin = \"real\"", []string{"3:3: \"12\" is no UUID", "4:1: \"\" is no acr_values", "6:25: \"bananas\" is no scenario", "7:10: origin is \"real\""}},
		"an authenticator that is none": {"[[matrix]]\nauthenticators = [\"smart-card\"]", []string{"2:19: \"smart-card\" is no authenticator"}},
		"a value that is there twice":   {"[[matrix]]\nauthenticators = [\"smartcard\", \"smartcard\"]", []string{"2:19: \"smartcard\" is there twice"}},
		"more than can be run": {
			"[[matrix]]\nacr = [\"AAL3_ANY\"]\n[[matrix]]\nusers = [" + manyUsers(200) + "]\nauthenticators = [" + manyTexts(10) + "]\nacr = [" + manyTexts(6) + "]",
			[]string{"3:1: there are more than 10000 runs"},
		},
	} {
		_, err := parseSuite("logins.toml", []byte(row.text))
		var bad *ConfigError
		if !errors.As(err, &bad) || len(bad.Findings) != len(row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
			continue
		}
		if code, _ := explain(err); code != exitUsage {
			t.Errorf("%s: exit code %d", name, code)
		}
		for i, f := range bad.Findings {
			place := ""
			if f.Line > 0 {
				place = fmt.Sprintf("%d:%d", f.Line, f.Column)
			}
			if !strings.HasPrefix(place+": "+f.What, row.want[i]) || f.Where != "logins.toml" || f.Remedy == "" {
				t.Errorf("%s: %s: %+v, want %s", name, place, f, row.want[i])
			}
		}
	}
}

func manyUsers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%q", fmt.Sprintf("656005%06d", i))
	}
	return strings.Join(all, ", ")
}

func manyTexts(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%q", fmt.Sprint("key-", i))
	}
	return strings.Join(all, ", ")
}

// TestWhatTheDaemonRefusesIsNamedByItsPlace in the file.
func TestWhatTheDaemonRefusesIsNamedByItsPlace(t *testing.T) {
	t.Parallel()
	f, err := parseSuite("logins.toml", []byte("target = \"moon\"\n[[matrix]]\nacr = [\"AAL3_ANY\"]\n[[matrix]]\nacr = [\n  \"AAL3_ANY\",\n  \"AAL9\",\n]\nauthenticators = [\"smartcard\"]"))
	if err != nil {
		t.Fatal(err)
	}
	last := f.runs("")[2]
	for field, want := range map[string]string{"body.acr": "logins.toml:7:3: ", "body.kind": "logins.toml:9:19: ", "body.target": "logins.toml:1:1: ", "body": "logins.toml: "} {
		err := f.fault(last, &contract.Problem{Code: "BAD_REQUEST", Title: "It is wrong", Remedy: "Put it right.", Fields: []contract.Field{{Location: field}}})
		if code, text := explain(err); code != exitUsage || !strings.HasPrefix(text, want+"BAD_REQUEST: It is wrong") || !strings.HasSuffix(text, "→ Put it right.") {
			t.Errorf("%s: %d %s", field, code, text)
		}
	}
}

func FuzzParseSuite(f *testing.F) {
	f.Add("[[matrix]]\nusers = [\"656005750105\"]\nacr = ['AAL3_ANY']\n")
	f.Add("parallel = 3\nmatrix = [{scenarios = [\"sso\"]}]")
	f.Add("[[matrix]\n\"\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseSuite("x", []byte(text))
		var bad *ConfigError
		switch {
		case err == nil:
			if runs := file.runs(""); len(runs) == 0 || len(runs) > mostSuite {
				t.Errorf("%d runs", len(runs))
			}
		case !errors.As(err, &bad) || len(bad.Findings) == 0:
			t.Errorf("%v", err)
		}
	})
}

// exampleSuite is the scenario file that docs/logins.md shows.
func exampleSuite() (string, error) {
	text, err := os.ReadFile("../../docs/logins.md")
	if err != nil {
		return "", err
	}
	_, rest, found := strings.Cut(string(text), "```toml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		return "", errors.New("docs/logins.md has no scenario file")
	}
	return example, nil
}

// TestEveryKeyOfAScenarioFileIsDocumented, and the example and that of the help
// are what they say.
func TestEveryKeyOfAScenarioFileIsDocumented(t *testing.T) {
	t.Parallel()
	example, err := exampleSuite()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseSuite("docs/logins.md", []byte(example)); err != nil {
		t.Error(err)
	}
	for _, key := range suiteKeys {
		if _, name, inMatrix := strings.Cut(key, "."); inMatrix {
			key = name
		}
		if !strings.Contains(example, "\n"+key+" =") && !strings.HasPrefix(example, key+" =") && !strings.Contains(example, "# "+key+" =") {
			t.Errorf("docs/logins.md does not show %s", key)
		}
	}
	var help []string
	for _, l := range strings.Split(newLoginMatrix(&flags{}).Long, "\n") {
		if strings.HasPrefix(l, "  ") {
			help = append(help, l)
		}
	}
	if _, err := parseSuite("help", []byte(strings.Join(help, "\n"))); err != nil {
		t.Error(err)
	}
}
