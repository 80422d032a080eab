package api_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// TestASnapshotIsJudgedOnceForAllWhoAsk, and anew when there is a new one.
func TestASnapshotIsJudgedOnceForAllWhoAsk(t *testing.T) {
	var judged atomic.Int32
	s := apitest.Start(t, apitest.Options{Judge: func(q contract.Question, snapshot *contract.Snapshot) contract.Verdict {
		judged.Add(1)
		return apitest.Judge(q, snapshot)
	}})
	observeOneOfEach(t, s)
	without := s.Token(t, contract.RightRead)
	ask := func(secret, target string) string {
		got := call(t, s, secret, "GET", target, "")
		if got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
		return got.body
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			ask(s.Secret, "/v1/readiness?aal=3&target=mock&kind=smartcard")
			ask(without, "/v1/readiness?kind=smartcard&target=mock&aal=3")
		})
	}
	asking.Wait()
	if n := judged.Load(); n != 1 {
		t.Errorf("judged %d times for one question on one snapshot", n)
	}
	if plain, masked := ask(s.Secret, "/v1/readiness?aal=3&target=mock"), ask(without, "/v1/readiness?aal=3&target=mock"); !strings.Contains(plain, user) || strings.Contains(masked, user) {
		t.Errorf("the two forms are mixed up:\n%s\n%s", plain, masked)
	}
	if before := ask(s.Secret, "/v1/readiness?aal=3&target=mock"); !strings.Contains(before, `"outcome":"ready"`) {
		t.Errorf("before: %s", before)
	}
	s.Observe(t, nothing())
	if after := ask(s.Secret, "/v1/readiness?aal=3&target=mock"); !strings.Contains(after, `"outcome":"not_ready"`) {
		t.Errorf("after the card has gone: %s", after)
	}
}

// TestManyDifferentQuestionsAreAnsweredToo: what is remembered is bounded.
func TestManyDifferentQuestionsAreAnsweredToo(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	for n := range 200 {
		u := "555" + strings.Repeat("0", 6) + string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10))
		if got := call(t, s, s.Secret, "GET", "/v1/readiness?aal=3&target=mock&user="+u, ""); !strings.Contains(got.body, `"user":"`+u+`"`) {
			t.Fatalf("asked for %s: %s", u, got.body)
		}
	}
}
