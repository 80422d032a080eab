package nhs

import (
	"reflect"
	"strings"
	"testing"
	"unicode"
)

// TestProgramsAreKnownByTheirNames: those that NHS pages use. The lists are made
// up; none of a real machine was seen.
func TestProgramsAreKnownByTheirNames(t *testing.T) {
	t.Parallel()
	got := programsOf([]entry{
		{"7-Zip 23.01 (x64)", "23.01"},
		{"NHS Credential Management", "4.1.0.0"},
		{"NHS Credential Management", "4.1.0.0"}, // the list of 32 bits
		{"NHS Digital Identity Agent", "2.4.10.0"},
		{"HSCIC Identity Agent v1", "1.0"},
		{"Other Identity Agent", "9"},
		{"NHS Smartcard Connect", ""},
		{"Oberthur AWP\x1b[31m 5.3", "5.3"},
		{"", ""},
	})
	want := []Program{
		{CredentialManagement, "NHS Credential Management", "4.1.0.0"},
		{IdentityAgent, "HSCIC Identity Agent v1", "1.0"},
		{IdentityAgent, "NHS Digital Identity Agent", "2.4.10.0"},
		{SmartcardConnect, "NHS Smartcard Connect", ""},
		{OberthurMiddleware, "Oberthur AWP [31m 5.3", "5.3"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func TestTheGatewayIsKnownByItsDomain(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"https://gas.nis1.national.ncrs.nhs.uk/login/authactivate": "gas.nis1.national.ncrs.nhs.uk",
		"GAS.NATIONAL.NCRS.NHS.UK":                                 "gas.national.ncrs.nhs.uk",
		"https://sbapi.nis1.national.ncrs.nhs.uk/":                 "", // another service
		"chrome;iexplore":                                          "",
		".national.ncrs.nhs.uk":                                    "",
		"":                                                         "",
	} {
		if got := gatewayOf([]string{"something", value}); got != want {
			t.Errorf("%q is %q", value, got)
		}
	}
}

func TestPowerAndChip(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		line, battery, percent, saver uint8
		want                          Seen[Power]
	}{
		"laptop on mains":   {1, 1, 97, 0, known(Power{Mains: true, Percent: 97})},
		"laptop on battery": {0, 2, 19, 1, known(Power{Percent: 19, Saver: true})},
		"desktop":           {1, 128, 255, 0, known(Power{Mains: true, Percent: -1})},
		"desktop, odd":      {255, 128, 255, 0, known(Power{Mains: true, Percent: -1})},
		"nothing told":      {255, 255, 255, 0, unknown[Power]("Windows does not say what the machine runs on")},
	} {
		if got := powerOf(tt.line, tt.battery, tt.percent, tt.saver); got != tt.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, tt := range map[string]struct {
		result, version, kind uint32
		want                  Seen[Chip]
	}{
		"2.0":         {0, 2, 3, known(Chip{Version: 2})},
		"1.2":         {0, 1, 1, known(Chip{Version: 1})},
		"emulator":    {0, 2, 4, known(Chip{Version: 2, Emulated: true})},
		"undecided":   {0, 2, 0, known(Chip{Version: 2, Emulated: true})},
		"none":        {0x8028400F, 0, 0, known(Chip{})},
		"not working": {0x80284008, 0, 0, unknown[Chip]("TPM Base Services say 0x80284008")},
		"new":         {0, 3, 3, unknown[Chip]("the version of the TPM is not told")},
	} {
		if got := chipOf(tt.result, tt.version, tt.kind); got != tt.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, m := range [][2]string{{"QEMU", "Standard PC (Q35 + ICH9, 2009)"}, {"Microsoft Corporation", "Virtual Machine"}, {"VMware, Inc.", "VMware7,1"}, {"", ""}} {
		if !isVirtualMachine(m[0], m[1]) {
			t.Errorf("%q is taken for a real machine", m)
		}
	}
	if isVirtualMachine("Dell Inc.", "Latitude 7440") {
		t.Error("a laptop is taken for a virtual machine")
	}
}

// FuzzTextOfTheRegistry: whoever can install a program can write there; nothing
// of it turns or colours a terminal, and a host is one.
func FuzzTextOfTheRegistry(f *testing.F) {
	f.Add("NHS Credential Management", "4.1.0.0", "https://gas.nis1.national.ncrs.nhs.uk")
	f.Add("nhs identity agent \u202e", "\x1b[2J", "gas..national.ncrs.nhs.uk")
	f.Fuzz(func(t *testing.T, name, version, value string) {
		for _, p := range programsOf([]entry{{name, version}}) {
			for _, text := range []string{p.Name, p.Version} {
				if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || len([]rune(text)) > 81 {
					t.Errorf("%q", text)
				}
			}
		}
		if host := gatewayOf([]string{value}); host != "" && (!strings.HasPrefix(host, "gas.") || !strings.HasSuffix(host, gatewayDomain) || len(host) > 64) {
			t.Errorf("%q", host)
		}
	})
}
