package main

import (
	"crypto/tls"
	"net/http"
	"testing"
)

// TestTheLocalAuthorityIsTrustedForTheMockAlone holds who trusts it: login runs,
// for the mock, and nobody for any other target.
func TestTheLocalAuthorityIsTrustedForTheMockAlone(t *testing.T) {
	t.Parallel()
	open := func(secured bool) *mock {
		t.Helper()
		m, err := openMock(mockOrder{port: "0", tls: secured, state: t.TempDir(), runs: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeAll(m.listeners) })
		return m
	}
	m := open(true)
	if m.target().Transport != http.RoundTripper(m.reached) || m.reached.TLSClientConfig.MinVersion != tls.VersionTLS12 {
		t.Error("login runs do not reach the mock")
	}
	for _, other := range (settings{}).realTargets() {
		if other.Transport != nil {
			t.Errorf("%s is reached as the mock is", other.Name)
		}
	}
	if plain := open(false); plain.reached.TLSClientConfig != nil || plain.Authority != "" {
		t.Error("without TLS there is nothing to trust")
	}
}
