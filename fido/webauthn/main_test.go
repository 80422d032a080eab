package webauthn

import (
	"encoding/base64"
	"errors"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// org is a page of the spec's examples, and orgs the list that it is on.
var (
	org  = Page{Origin: "https://example.org", Target: "mock"}
	orgs = []Party{{ID: "example.org", Origins: []string{"https://example.org"}, Targets: []string{"mock"}}}
)

func raw64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// wantError is whether err is an *Error of that name, kind and field; an empty
// kind means no error.
func wantError(t *testing.T, err error, name ErrorName, kind Kind, field string) {
	t.Helper()
	if kind == "" {
		if err != nil {
			t.Errorf("unexpected: %v", err)
		}
		return
	}
	var got *Error
	if !errors.As(err, &got) {
		t.Errorf("got %v, want %s (%s) of %q", err, kind, name, field)
		return
	}
	if got.Name != name || got.Kind != kind || got.Field != field {
		t.Errorf("got %s (%s) of %q, want %s (%s) of %q: %v", got.Kind, got.Name, got.Field, kind, name, field, err)
	}
}
