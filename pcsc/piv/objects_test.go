package piv_test

import (
	"errors"
	"testing"

	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
)

func TestObjectsAreAskedForByTheirTags(t *testing.T) {
	t.Parallel()
	for object, want := range map[piv.Object]string{
		piv.ObjectDiscovery:                 "00CB3FFF035C017E00",
		piv.ObjectCHUID:                     "00CB3FFF055C035FC10200",
		piv.ObjectCertificateAuthentication: "00CB3FFF055C035FC10500",
	} {
		f := newFake()
		_, _ = piv.GetData(t.Context(), f, object, 256)
		if got := f.commands[0]; string(got) != string(octets(want)) {
			t.Errorf("%s: %X", object, got)
		}
	}
}

func TestAnObjectIsWhatItsStandardSaysOrAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		object piv.Object
		data   string
		want   error
	}{
		"nothing":                      {piv.ObjectCHUID, "", piv.ErrMissing},
		"an empty container":           {piv.ObjectCHUID, "53 00", piv.ErrMissing},
		"no container":                 {piv.ObjectCHUID, "54 01 AA", piv.ErrMalformed},
		"a container around discovery": {piv.ObjectDiscovery, "53 03 7E 01 AA", piv.ErrMalformed},
		"no TLV":                       {piv.ObjectCHUID, "53 05 AA", piv.ErrMalformed},
		"more than it":                 {piv.ObjectCHUID, "53 01 AA 54 00", piv.ErrMalformed},
		"zeros behind it":              {piv.ObjectCHUID, "53 01 AA 00 00", nil},
	} {
		f := newFake()
		f.objects[c.object] = octets(c.data)
		if _, err := piv.GetData(t.Context(), f, c.object, 256); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := piv.GetData(t.Context(), newFake(), piv.ObjectCertificateSignature, 256); !errors.Is(err, piv.ErrMissing) || !errors.Is(err, apdu.SWNotFound) {
		t.Errorf("not there: %v", err)
	}
}

func TestThePINUsagePolicySaysWhichPINToAskFor(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string][2]bool{
		"40 00": {false, false},
		"40 20": {false, false},
		"60 10": {true, false},
		"60 20": {true, true},
	} {
		d, err := piv.ParseDiscovery(octets("4F 0B A0 00 00 03 08 00 00 10 00 01 00 5F 2F 02" + policy))
		if allowed, preferred := d.GlobalPIN(); err != nil || allowed != want[0] || preferred != want[1] {
			t.Errorf("%s: %v %v, %v", policy, allowed, preferred, err)
		}
	}
}

func FuzzDiscovery(f *testing.F) {
	for _, seed := range []string{"4F 0B A0 00 00 03 08 00 00 10 00 01 00 5F 2F 02 40 00", "", "5F 2F 02 60 20", "4F 00 5F 2F 03 40 00 00"} {
		f.Add(octets(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := piv.ParseDiscovery(data)
		if err != nil && !errors.Is(err, piv.ErrMalformed) {
			t.Fatal(err)
		}
		if allowed, preferred := d.GlobalPIN(); preferred && !allowed {
			t.Fatal("preferred, and not allowed")
		}
	})
}

func FuzzCHUID(f *testing.F) {
	for _, seed := range []string{"30 00 34 10 00112233445566778899AABBCCDDEEFF 35 08 3230333031323331 3E 00 FE 00", "", "34 02 AA BB"} {
		f.Add(octets(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := piv.ParseCHUID(data)
		if err != nil && !errors.Is(err, piv.ErrMalformed) {
			t.Fatal(err)
		}
		if len(c.GUID.String()) != 36 {
			t.Fatal(c.GUID)
		}
	})
}
