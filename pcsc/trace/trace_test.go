package trace_test

import (
	"strings"
	"testing"

	"authbridge/pcsc"
	"authbridge/pcsc/trace"
	"authbridge/pcsc/vcard"
)

func TestATraceShowsTheExchangeAndNeverThePIN(t *testing.T) {
	t.Parallel()
	ca, err := vcard.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	card, err := vcard.NewCard(vcard.Profile{User: "555212345678", Surname: "Test", Forename: "Ann", Keys: vcard.ECCP256}, ca)
	if err != nil {
		t.Fatal(err)
	}
	bench := vcard.NewBench()
	defer func() { _ = bench.Close() }()
	if err := bench.AddReader("R"); err != nil {
		t.Fatal(err)
	}
	if err := bench.Insert("R", card); err != nil {
		t.Fatal(err)
	}
	var seen []trace.Exchange
	ctx, err := trace.System(bench, func(e trace.Exchange) { seen = append(seen, e) }).Establish()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ctx.Release() }()
	h, err := ctx.Connect("R", pcsc.ShareShared, pcsc.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	selectPIV := "\x00\xa4\x04\x00\x05\xa0\x00\x00\x03\x08\x00"
	verify := "\x00\x20\x00\x80\x08" + "771199\xff\xff" // a wrong PIN, as a canary
	for _, command := range []string{selectPIV, verify} {
		if _, err := h.Transmit([]byte(command)); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 2 {
		t.Fatalf("%d exchanges shown, want 2", len(seen))
	}
	if e := seen[0]; !strings.HasPrefix(e.Command, "00 A4 04 00") || !strings.HasSuffix(e.Answer, "9000") || e.Reader != "R" {
		t.Errorf("SELECT shown as %+v", e)
	}
	if e := seen[1]; e.Command != "00 20 00 80 [9 octets]" || e.Answer != "63C2" {
		t.Errorf("VERIFY shown as %+v", e)
	}
}
