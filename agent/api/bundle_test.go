package api_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/api"
	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
)

// unzipped is what is in a bundle, by the names of its files.
func unzipped(t *testing.T, a answer) map[string]string {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	archive, err := zip.NewReader(strings.NewReader(a.body), int64(len(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(text)
		if path.Ext(f.Name) == ".json" && !json.Valid(text) {
			t.Errorf("%s is no JSON: %s", f.Name, text)
		}
	}
	return all
}

// TestABundleIsForOthersToSee: it is masked for who may identify too, and what
// should be nowhere is hidden where it is all the same.
func TestABundleIsForOthersToSee(t *testing.T) {
	const holder, person = "LIEBHERR_WILHELMINA", "wilhelmina"
	s := apitest.Start(t, apitest.Options{Surroundings: func() api.Surroundings {
		return api.Surroundings{
			Versions: map[string]string{"version": "test"}, Configuration: map[string]string{"file": "/srv/" + person + "/pin"},
			Machine: map[string]string{"home": "/home/fenella"}, Person: person,
			Log: [][]byte{[]byte(`{"msg":"the card of ` + holder + `, LIEBHERR, ` + user + `"}`)},
		}
	}})
	s.Observe(t, inventory.Observation{
		Readers: []contract.Reader{{ID: "reader-1", Name: "Reader", Source: apitest.SourceName, Condition: contract.Ready}},
		Cards:   []health.Card{apitest.Card("card-1", holder, user)},
		Events:  []contract.Event{{Type: contract.CardInserted, Subject: "reader-1", Text: "a card was inserted"}},
	})
	for _, secret := range []string{s.Secret, s.Token(t, contract.RightRead)} {
		files := unzipped(t, call(t, s, secret, "GET", "/v1/bundle", ""))
		for _, name := range []string{
			contract.BundleReadme, contract.BundleVersions, contract.BundleSnapshot, contract.BundleReadiness, contract.BundleEvents, contract.BundleLog,
			contract.BundleConfiguration, contract.BundleMachine,
		} {
			if files[name] == "" {
				t.Errorf("%s is not there", name)
			}
		}
		for name, text := range files {
			for _, secret := range []string{holder, "LIEBHERR", "WILHELMINA", person, user, "fenella"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s has %s: %s", name, secret, text)
				}
			}
		}
		if !strings.Contains(files[contract.BundleSnapshot], contract.MaskUser(user)) || !strings.Contains(files[contract.BundleEvents], "authenticator.changed") {
			t.Error("the card is not in it: the test proves little")
		}
	}
}

// TestABundleAsksNoNetwork: a target that is in the bundle is not one that
// somebody asked about.
func TestABundleAsksNoNetwork(t *testing.T) {
	var asked []string
	s := apitest.Start(t, apitest.Options{Asked: func(target string) { asked = append(asked, target) }})
	files := unzipped(t, call(t, s, s.Secret, "GET", "/v1/bundle", ""))
	var verdicts []contract.Verdict
	if err := json.NewDecoder(bytes.NewReader([]byte(files[contract.BundleReadiness]))).Decode(&verdicts); err != nil || len(verdicts) != 8 {
		t.Errorf("%d verdicts, %v", len(verdicts), err)
	}
	if len(asked) != 0 {
		t.Errorf("it asked about %v", asked)
	}
}

// TestWhoOnlyShowsTargetsAsksNoNetwork: an open page is no interest in all of them.
func TestWhoOnlyShowsTargetsAsksNoNetwork(t *testing.T) {
	var asked []string
	s := apitest.Start(t, apitest.Options{Asked: func(target string) { asked = append(asked, target) }})
	for _, query := range []string{"aal=3&target=int&look=false", "aal=2&target=prod&look=false", "aal=3&target=int&look=true", "aal=2&target=dep"} {
		if got := call(t, s, s.Secret, "GET", "/v1/readiness?"+query, ""); got.status != 200 {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	if want := []string{"int", "dep"}; !slices.Equal(asked, want) {
		t.Errorf("it asked about %v, want %v", asked, want)
	}
	call(t, s, s.Secret, "GET", "/v1/readiness?aal=3&target=int&look=perhaps", "").wantProblem(t, "BAD_REQUEST")
}
