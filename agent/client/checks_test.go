package client_test

import (
	"errors"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

func TestAnApplicationIsChecked(t *testing.T) {
	t.Parallel()
	s := apitest.Start(t, apitest.Options{})
	c := &client.Client{URL: s.URL, Token: s.Secret}
	t.Cleanup(c.Close)
	done, err := c.CheckRelyingParty(t.Context(), contract.RelyingPartyRequest{Client: apitest.SampleClient, Reports: true})
	if err != nil || done.State != contract.Pass || len(done.Checks) != 1 || done.Reports == nil {
		t.Errorf("%+v, %v", done, err)
	}
	var problem *contract.Problem
	if _, err := c.CheckRelyingParty(t.Context(), contract.RelyingPartyRequest{Client: "other"}); !errors.As(err, &problem) || problem.Code != string(failure.RPUnknown) || problem.Status != 404 {
		t.Errorf("%v", err)
	}
}

// TestACheckEndsWithTheTokenThatAskedForIt: it is held like every call that waits.
func TestACheckEndsWithTheTokenThatAskedForIt(t *testing.T) {
	t.Parallel()
	s := apitest.Start(t, apitest.Options{})
	s.Parties.Hold = make(chan struct{})
	token := s.NamedToken(t, "revoked", time.Hour, contract.RightLease)
	c := &client.Client{URL: s.URL, Token: token.Secret}
	t.Cleanup(c.Close)
	ended := make(chan error, 1)
	go func() {
		_, err := c.CheckRelyingParty(t.Context(), contract.RelyingPartyRequest{Client: apitest.SampleClient})
		ended <- err
	}()
	s.Parties.Await()
	admin := &client.Client{URL: s.URL, Token: s.Secret}
	t.Cleanup(admin.Close)
	if err := admin.RevokeToken(t.Context(), token.ID); err != nil {
		t.Fatal(err)
	}
	var problem *contract.Problem
	if err := <-ended; !errors.As(err, &problem) || problem.Code != string(failure.Unauthorized) {
		t.Errorf("%v", err)
	}
}
