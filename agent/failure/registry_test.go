package failure_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/failure"
)

// named are the codes that NHS CIS2 work knows by name and that must be there
// from the first day: common, smartcard, security key, Windows Hello and AAL2,
// after-login assertions.
const named = `
NET_ISSUER NET_ACR NET_HSCN CLOCK_SKEW ENV_UUID PORT_CLASH BROWSER_LNA
PCSC_SERVICE READER_PRESENT READER_DRIVER CARD_SINGLE CARD_PRESENT CARD_SERIES CARD_BLANK CERT_VALID
CERT_ISSUER_ENV CERT_UUID PIN_RETRIES MW_PIV MW_OBERTHUR NHS_PORT_SERVICE NHS_CM NHS_CLIENT_CONFLICT NHS_ENV_REG OS_SUPPORT
KEY_PRESENT KEY_FIDO2 KEY_L2 KEY_PIN_SET KEY_PIN_RETRIES KEY_REGISTERED KEY_CCID
WH_PLATFORM WH_TPM WH_BATTERY WH_ENROLLED WH_REGISTERED TOTP_READY
TOK_ISS TOK_AUD TOK_SIG TOK_AAL TOK_IAL TOK_ACR_AMR TOK_FRESH TOK_SUB TOK_ROLE APIM_SCOPE BCL_SIM`

func TestEveryNamedCodeIsThere(t *testing.T) {
	t.Parallel()
	for _, code := range strings.Fields(named) {
		if _, ok := failure.Lookup(failure.Code(code)); !ok {
			t.Errorf("%s is not in the registry", code)
		}
	}
}

// numbers are what NHS users read on their screens.
func TestTheNHSCodesAreWhatUsersKnow(t *testing.T) {
	t.Parallel()
	for code, nhs := range map[failure.Code]string{
		failure.CardSingle: "ERR1002", failure.CardPresent: "ERR1002", failure.NetIssuer: "ERR1002",
		failure.NHSPortService: "PR20002", failure.NHSCM: "PR30007", failure.PINRetries: "PIN_BLOCKED",
		failure.CardSeries: "SMARTCARD_NOT_SUPPORTED", failure.CardBlank: "NO_CERT_FOUND", failure.ReaderPresent: "READER_NOT_AVAILABLE",
	} {
		if e, _ := failure.Lookup(code); e.NHSCode != nhs {
			t.Errorf("%s has the NHS code %q, want %q", code, e.NHSCode, nhs)
		}
	}
}

var (
	codeForm    = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	sentenceEnd = regexp.MustCompile(`[.!?](\s|$)`)
	// jargon is what a person who reads a remedy need not know.
	jargon = regexp.MustCompile(`\b(APDU|SW|TLV|ATR|AID|CID|BCNT|CBOR|CTAP\w*|SCARD_\w+|getInfo|AAGUID|hidraw|netlink|errno|EACCES|VERIFY|FCI|CHUID|errgroup|goroutine|snapshot|mutex|nil|null|0x[0-9A-Fa-f]+)\b`)
)

func TestEveryCodeSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	t.Parallel()
	titles := map[string]failure.Code{}
	for _, e := range failure.All() {
		if !codeForm.MatchString(string(e.Code)) {
			t.Errorf("%q is no code", e.Code)
		}
		switch {
		case e.Title == "":
			t.Errorf("%s has no title", e.Code)
		case len(e.Title) > 70 || strings.HasSuffix(e.Title, "."):
			t.Errorf("%s: the title %q is no few words", e.Code, e.Title)
		case titles[e.Title] != "":
			t.Errorf("%s and %s have the same title", e.Code, titles[e.Title])
		}
		titles[e.Title] = e.Code
		if err := oneSentence(e.Remedy); err != nil {
			t.Errorf("%s: %v: %q", e.Code, err, e.Remedy)
		}
		for _, system := range []string{"linux", "windows", "darwin"} {
			for line := range strings.SplitSeq(e.Mend.On(system), "\n") {
				if err := oneCommand(line); err != nil {
					t.Errorf("%s on %s: %v: %q", e.Code, system, err, line)
				}
			}
		}
		if e.Status != 0 && (e.Status < 400 || e.Status > 599) {
			t.Errorf("%s: %d is no status of a problem", e.Code, e.Status)
		}
	}
}

func oneSentence(s string) error {
	switch {
	case len(s) < 25 || len(strings.Fields(s)) < 5:
		return errors.New("too short to help")
	case len(s) > 230:
		return errors.New("too long to read")
	case !strings.HasSuffix(s, ".") || len(sentenceEnd.FindAllString(s, -1)) != 1:
		return errors.New("not one sentence")
	case strings.ToUpper(s[:1]) != s[:1]:
		return errors.New("begins with a small letter")
	case jargon.MatchString(s):
		return fmt.Errorf("says %q to a person", jargon.FindString(s))
	}
	return nil
}

// programs begin the commands that mend; after sudo too.
var programs = map[string]bool{
	"authbridge": true, "apt": true, "dnf": true, "pcscd": true, "systemctl": true, "timedatectl": true, "usermod": true, "gpasswd": true, "net": true, "dseditgroup": true,
	"udevadm": true, "cp": true, "sc.exe": true, "start": true, "w32tm": true, "sntp": true,
}

// oneCommand is whether a line can be pasted as it is, and stands whole in 80
// columns below a finding of a thing; an empty one is none.
func oneCommand(line string) error {
	words := strings.Fields(strings.TrimPrefix(line, "sudo "))
	switch {
	case line == "":
		return nil
	case len(line) > 70:
		return errors.New("longer than a line")
	case len(words) == 0 || !programs[words[0]]:
		return errors.New("no command that we know")
	case strings.ContainsAny(line, "`<>…“”"):
		return errors.New("has to be changed before it works")
	}
	return nil
}

func TestTheRulesForRemediesCatchBadOnes(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "Reinsert.", "Take it out. Put it back in again now.", "put the card into the reader again.",
		"Look up the SW of the last APDU in the log.", "Do what 0x8010001D says about this service.", "Put the card back into the reader",
	} {
		if oneSentence(bad) == nil {
			t.Errorf("%q passed as a remedy", bad)
		}
	}
	for _, bad := range []string{"run `authbridge open`", "authbridge read <ID>", " ", "rm -rf /", "sudo", "sudo apt install pcscd libccid opensc vsmartcard-vpcd and whatever else there may be"} {
		if oneCommand(bad) == nil {
			t.Errorf("%q passed as a command", bad)
		}
	}
}

func TestCodesAreUniqueAndSorted(t *testing.T) {
	t.Parallel()
	seen := map[failure.Code]string{}
	total := 0
	for _, s := range failure.Subjects() {
		for _, e := range s.Entries {
			total++
			if other, twice := seen[e.Code]; twice {
				t.Errorf("%s is in %q and in %q", e.Code, other, s.Name)
			}
			seen[e.Code] = s.Name
		}
	}
	all := failure.All()
	if len(all) != total {
		t.Errorf("All lists %d of %d", len(all), total)
	}
	if !slices.IsSortedFunc(all, func(a, b failure.Entry) int { return strings.Compare(string(a.Code), string(b.Code)) }) {
		t.Error("All is not sorted")
	}
}

func TestTheRegistryCannotBeChangedThroughWhatItHandsOut(t *testing.T) {
	t.Parallel()
	failure.All()[0].Title = "changed"
	failure.Subjects()[0].Entries[0].Title = "changed"
	for _, e := range failure.All() {
		if e.Title == "changed" {
			t.Errorf("%s was changed from outside", e.Code)
		}
	}
}

func TestAnErrorKeepsItsCodeAndItsCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	err := fmt.Errorf("insert: %w", &failure.Error{Code: failure.VPCDUnavailable, Field: "body.vpcd", Detail: "nothing listens on 127.0.0.1:1", Err: cause})
	if failure.CodeOf(err) != failure.VPCDUnavailable || failure.CodeOf(cause) != "" {
		t.Errorf("codes %q and %q", failure.CodeOf(err), failure.CodeOf(cause))
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if !errors.Is(err, &failure.Error{Code: failure.VPCDUnavailable}) || errors.Is(err, &failure.Error{Code: failure.NotFound}) {
		t.Error("errors.Is does not tell codes apart")
	}
	for _, part := range []string{"No virtual reader", "body.vpcd", "nothing listens on 127.0.0.1:1", "connection refused"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if text := (&failure.Error{Code: "NEW_CODE"}).Error(); text != "NEW_CODE" {
		t.Errorf("an unknown code reads %q", text)
	}
}
