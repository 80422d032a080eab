package api_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
	"authbridge/agent/target"
)

// stuck is a network in which nothing comes back until it is let go.
type stuck struct {
	asked atomic.Int32
	let   chan struct{}
}

func (s *stuck) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	select {
	case <-s.let:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(
		`{"issuer":"https://am.test:443/openam","acr_values_supported":["AAL3_ANY","AAL2_OR_AAL3_ANY"]}`))}, nil
}

// TestReadinessOfARealTargetWaitsForNoNetwork: what is asked for is looked at in
// the background, whoever asks is answered from what is known, and who waits is
// told when it is known.
func TestReadinessOfARealTargetWaitsForNoNetwork(t *testing.T) {
	network := &stuck{let: make(chan struct{})}
	source := target.New(target.Config{
		Targets: []target.Target{{Name: "int", Issuer: "https://am.test:443/openam"}, {Name: "prod", Issuer: "https://live.test:443/openam"}}, Transport: network,
	})
	s := apitest.Start(t, apitest.Options{Targets: source, Judge: func(q contract.Question, snapshot *contract.Snapshot) contract.Verdict {
		v := apitest.Judge(q, snapshot)
		v.Outcome = contract.VerdictUnproven
		for _, c := range snapshot.Checks {
			if c.Code == "NET_ISSUER" && c.Target == q.Target {
				v.Checks = append(v.Checks, c)
				if c.State == contract.Pass {
					v.Outcome = contract.VerdictReady
				}
			}
		}
		return v
	}})
	s.Observe(t, nothing())
	known := func(snapshot *contract.Snapshot) bool {
		return slices.ContainsFunc(snapshot.Checks, func(c contract.Check) bool { return c.Code == "NET_ISSUER" && c.Target == "int" })
	}
	if _, err := s.Inventory.Await(t.Context(), known); err != nil { // the source of targets has begun
		t.Fatal(err)
	}
	if n := network.asked.Load(); n != 0 {
		t.Errorf("%d hosts are called before anybody asks", n)
	}
	for _, path := range []string{"/v1/status", "/v1/readiness?aal=3&target=mock"} {
		call(t, s, s.Secret, "GET", path, "")
	}
	for range 20 {
		got := call(t, s, s.Secret, "GET", "/v1/readiness?aal=3&target=int", "")
		if got.status != 200 || !strings.Contains(got.body, `"unproven"`) || !strings.Contains(got.body, "nobody has looked yet") {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	waited := make(chan string, 1)
	go func() {
		defer close(waited) // call ends this goroutine where it fails
		waited <- call(t, s, s.Secret, "GET", "/v1/readiness?aal=3&target=int&wait=60s", "").body
	}()
	close(network.let)
	if got := <-waited; !strings.Contains(got, `"outcome":"ready"`) || !strings.Contains(got, `"target":"int"`) {
		t.Errorf("who waited is told %s", got)
	}
	if n := network.asked.Load(); n != 1 {
		t.Errorf("it was called %d times", n)
	}
}
