package login_test

import (
	"testing"

	"authbridge/agent/contract"
)

func TestAAL3ByCard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.passes(contract.LoginRequest{ACR: "AAL3_ANY", Kind: contract.Smartcard})
	if l.User != cardUser || l.Kind != contract.Smartcard || l.Origin != contract.Virtual || l.AAL != 3 || l.GrantedAt.IsZero() {
		t.Errorf("%+v", l)
	}
	t.Log(story(l))
}

func TestAAL3ByKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.passes(contract.LoginRequest{ACR: "AAL3_ANY", Kind: contract.SecurityKey})
	if l.User != keyUser || stepOf(l, "enrolment").State != contract.StepPass {
		t.Errorf("%+v", l)
	}
	// It is registered now.
	l = w.passes(contract.LoginRequest{ACR: "AAL3_FIDO2"})
	if l.Kind != contract.SecurityKey || stepOf(l, "enrolment").Name != "" {
		t.Errorf("%+v", l)
	}
	t.Log(story(l))
}
