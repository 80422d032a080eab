package apdu_test

import (
	"errors"
	"fmt"
	"testing"

	"authbridge/pcsc/apdu"
)

func TestStatusWordsAreFourHexDigits(t *testing.T) {
	t.Parallel()
	for sw, want := range map[apdu.Status]string{
		0x9000: "9000", 0x6A82: "6A82", 0x63C3: "63C3", 0x0001: "0001", 0: "0000",
	} {
		if got := fmt.Sprintf("%s %v %s", sw.String(), sw, sw.Error()); got != want+" "+want+" "+want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestEveryNamedStatusWordHasAMeaning(t *testing.T) {
	t.Parallel()
	for _, sw := range []apdu.Status{
		apdu.SWSuccess, apdu.SWMoreData, apdu.SWTries, apdu.SWMemoryFailure, apdu.SWWrongLength, apdu.SWNoLogicalChannel,
		apdu.SWNoSecureMessaging, apdu.SWLastOfChainExpected, apdu.SWNoChaining, apdu.SWSecurityNotSatisfied,
		apdu.SWAuthenticationBlocked, apdu.SWConditionsNotSatisfied, apdu.SWWrongData, apdu.SWFunctionNotSupported,
		apdu.SWNotFound, apdu.SWWrongP1P2, apdu.SWReferenceNotFound, apdu.SWWrongLe, apdu.SWNoInstruction,
		apdu.SWNoClass, apdu.SWUnknown,
	} {
		if sw.Meaning() == "" {
			t.Errorf("%s means nothing", sw)
		}
	}
}

func TestFamiliesOfStatusWordsAreFoundByTheirFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sw     apdu.Status
		family apdu.Status
		want   bool
	}{
		{0x63C0, apdu.SWTries, true},
		{0x63CF, apdu.SWTries, true},
		{0x6300, apdu.SWTries, false},
		{0x61FF, apdu.SWMoreData, true},
		{0x6C10, apdu.SWWrongLe, true},
		{0x6983, apdu.SWTries, false},
		{0x6983, apdu.SWAuthenticationBlocked, true},
		{0x6982, apdu.SWAuthenticationBlocked, false},
	} {
		if got := errors.Is(&apdu.StatusError{SW: c.sw}, c.family); got != c.want {
			t.Errorf("%s is %s: %v", c.sw, c.family, got)
		}
	}
	if n, ok := apdu.Status(0x63C2).Tries(); n != 2 || !ok {
		t.Errorf("63C2: %d, %v", n, ok)
	}
	if _, ok := apdu.Status(0x6983).Tries(); ok {
		t.Error("6983 has no count")
	}
}
