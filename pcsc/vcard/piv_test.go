package vcard_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

const (
	verifyEmpty = "00200080"
	verifyRight = "0020008008313233343536FFFF"
	verifyWrong = "0020008008363534333231FFFF"
	logout      = "0020FF80"
	manager     = "00A4040008A000000151000000"
	chuid       = "00CB3FFF055C035FC10200"
)

// script is a conversation: a command, the status word it must get.
type script [][2]string

func (c chip) play(s script) {
	c.t.Helper()
	for i, line := range s {
		if _, got := c.send(line[0]); got != line[1] {
			c.t.Errorf("line %d, %s: got %s, want %s", i, line[0], got, line[1])
		}
	}
}

// SP 800-73-4 part 2, chapter 3, and ISO 7816-4 where that is silent.
func TestStatusWords(t *testing.T) {
	for name, s := range map[string]script{
		"nothing is selected after a reset": {{verifyEmpty, "6D00"}, {chuid, "6D00"}, {selectPIV, "9000"}, {verifyEmpty, "63C3"}},
		"SELECT": {
			{"00A4040005A000000308", "6130"},                      // without Le all is kept
			{"00A404000BA000000308000010000100" + "00", "9000"},   // the whole name
			{"00A404000BA000000308000010000200" + "00", "6A82"},   // another version
			{"00A4040004A0000003" + "00", "6A82"},                 // shorter than a RID
			{"00A4040006A00000030800FF" + "00", "6700"},           // Lc says less than there is
			{"00A4040007A0000002471001" + "00", "6A82"},           // an e-passport
			{"00A404000CA00000030800001000010000" + "00", "6A82"}, // longer than the name
			{"00A4000C023F00", "6A86"},
			{"00A4040C09A00000030800001000", "6A86"},
			{"00A40400", "6F00"},
		},
		"classes": {
			{selectPIV, "9000"},
			{"0C200080", "6882"},
			{"04200080", "6882"},
			{"1C200080", "6882"},
			{"01200080", "6881"},
			{"03200080", "6881"},
			{"40200080", "6881"},
			{"80200080", "6E00"},
			{"20200080", "6E00"},
			{"FF200080", "6E00"},
			{"A0A40000", "6E00"},
		},
		"instructions": {{selectPIV, "9000"}, {"00B00000", "6D00"}, {"00FD0000", "6D00"}, {"00F80000", "6D00"}, {"00000000", "6D00"}},
		"lengths": {
			{selectPIV, "9000"},
			{"00", "6700"},
			{"0020", "6700"},
			{"002000", "6700"},
			{"0020008008313233", "6700"},
			{"00200080083132333435363738FFFF", "6700"},
			{"00CB3FFF00000000", "6700"},
		},
		"GET DATA": {
			{selectPIV, "9000"},
			{chuid, "9000"},
			{"00CB3FFF055C035FC10700", "9000"},
			{"00CB3FFF035C017E00", "9000"},
			{"00CB3FFF055C035FC10500", "61" + "##"},
			{"00CB3FFF055C035FC10A00", "61##"},
			{"00CB3FFF055C035FC10B00", "6A82"},
			{"00CB3FFF055C035FC10100", "6A82"}, // slots this card has not
			{"00CB3FFF055C035FC10600", "6A82"},
			{"00CB3FFF045C027F6100", "6A82"},
			{"00CB3FFF055C035FFF0000", "6A82"},
			{"00CB3FFE055C035FC10200", "6A86"},
			{"00CB0000055C035FC10200", "6A86"},
			{"00CB3FFF055C025FC10200", "6A80"},
			{"00CB3FFF055D035FC10200", "6A80"},
			{"00CB3FFF025C0000", "6A80"},
			{"00CB3FFF00", "6A80"},
			{"00CB3FFF065C045FC1020000", "6A80"},
		},
		"VERIFY": {
			{selectPIV, "9000"},
			{verifyEmpty, "63C3"},
			{verifyEmpty + "00", "63C3"}, // also with Le
			{verifyWrong, "63C2"},
			{verifyEmpty, "63C2"},
			{verifyRight, "9000"},
			{verifyEmpty, "9000"},
			{verifyWrong, "63C2"},
			{verifyEmpty, "63C2"}, // a wrong one ends the security status
			{verifyRight, "9000"},
			{logout, "9000"},
			{verifyEmpty, "63C3"},
			{"0020FF8008313233343536FFFF", "6A80"},
			{"00200180", "6A86"},
			{"00200000", "6A88"},
			{"00200081", "6A88"},
			{"0020FF00", "6A88"},
			{"0020008006313233343536", "6700"},
			{"0020008008313233343536FF37", "6A80"},
			{"00200080083132333435FFFFFF", "6A80"},
			{"0020008008313233343536FF00", "6A80"},
			{verifyEmpty, "63C3"}, // none of these cost a try
		},
		"blocked": {
			{selectPIV, "9000"},
			{verifyRight, "9000"},
			{verifyWrong, "63C2"},
			{verifyWrong, "63C1"},
			{verifyWrong, "63C0"},
			{verifyEmpty, "6983"},
			{verifyRight, "6983"},
			{"002400801031323334353" + "6FFFF363534333231FFFF", "6983"},
			{logout, "9000"},
			{verifyEmpty, "6983"},
			{"002C0080103132333435363738363534333231FFFF", "9000"}, // the PUK helps
			{verifyEmpty, "63C3"},
			{verifyWrong, "9000"}, // which is now right
		},
		"PUK": {
			{selectPIV, "9000"},
			{"002C0080103132333435363700363534333231FFFF", "63C2"},
			{"002C008010313233343536373836353433FFFFFFFF", "6A80"},
			{"002C0081103132333435363738363534333231FFFF", "6A88"},
			{"002C0180103132333435363738363534333231FFFF", "6A86"},
			{"002C00800831323334353637FF", "6700"},
			{"002C0080103132333435363700363534333231FFFF", "63C1"},
			{"002C0080103132333435363700363534333231FFFF", "63C0"},
			{"002C0080103132333435363738363534333231FFFF", "6983"},
			{verifyEmpty, "63C3"},
		},
		"CHANGE REFERENCE DATA": {
			{selectPIV, "9000"},
			{"0024008010363534333231FFFF363534333231FFFF", "63C2"},
			{verifyEmpty, "63C2"},
			{"0024008010313233343536FFFF3635343332FFFFFF", "6A80"},
			{"0024008010313233343536FFFF", "6700"},
			{"0024008000", "6700"},
			{"0024018010313233343536FFFF363534333231FFFF", "6A86"},
			{"0024000010313233343536FFFF363534333231FFFF", "6A88"},
			{verifyEmpty, "63C2"},
			{"0024008010313233343536FFFF363534333231FFFF", "9000"},
			{verifyEmpty, "9000"},
			{verifyRight, "63C2"},
			{verifyWrong, "9000"},
			{"0024008110313233343536373838373635343332" + "31", "9000"},
			{"0024008110313233343536373838373635343332" + "31", "63C2"},
		},
		"chains": {
			{selectPIV, "9000"},
			{"1020008008313233343536FFFF", "6884"},
			{"10CB3FFF055C035FC102", "6884"},
			{verifyEmpty, "63C3"},
			{"1087119A027C03", "9000"},
			{"0087119C0182", "6883"}, // not the same command
			{"1087119A027C03", "9000"},
			{chuid, "6883"},
			{chuid, "9000"}, // the chain is over
			{"10DB3FFF0100", "9000"},
			{"00DB3FFF0100", "6982"},
		},
		"GET RESPONSE": {
			{selectPIV, "9000"},
			{"00C0000000", "6985"},
			{"00C0000100", "6A86"},
			{"00CB3FFF055C035FC10210", "612D"},
			{"00C0000010", "611D"},
			{"00C0000000", "9000"},
			{"00C0000000", "6985"},
			{"00CB3FFF055C035FC102", "613D"},
			{verifyEmpty, "63C3"},
			{"00C0000000", "6985"}, // another command drops it
		},
		"no card management key": {{selectPIV, "9000"}, {"0047009A05AC0380011100", "6982"}, {"0087039B047C02810000", "6A86"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChip(t, amy)
			for i, line := range s {
				if line[0] == "00A40400" { // no name: the default application, the card manager
					line[1] = "6100"
				}
				_, got := c.send(line[0])
				if strings.HasSuffix(line[1], "##") {
					got = got[:2] + "##"
				}
				if line[1] == "6100" {
					got = got[:2] + "00"
				}
				if got != line[1] {
					t.Errorf("line %d, %s: got %s, want %s", i, line[0], got, line[1])
				}
			}
		})
	}
}

// SP 800-73-4 part 2, 3.1.1.
func TestSelectingPIVAgainLeavesThePIN(t *testing.T) {
	c := newChip(t, amy)
	c.play(script{
		{selectPIV, "9000"},
		{verifyRight, "9000"},
		{selectPIV, "9000"},
		{verifyEmpty, "9000"},
		{"00A4040007A000000247100100", "6A82"},
		{verifyEmpty, "9000"}, // an application that is not there
		{manager, "61##"},
		{verifyEmpty, "6D00"},
	}[:6])
	c.send(manager)
	c.want("6D00", verifyEmpty)
	c.want("9000", selectPIV)
	c.want("63C3", verifyEmpty)
}

func TestResetAndPowerEndTheSecurityStatus(t *testing.T) {
	for name, again := range map[string]func(chip){
		"reset":       func(c chip) { c.Reset() },
		"power cycle": func(c chip) { c.PowerOff(); c.PowerOn() },
	} {
		t.Run(name, func(t *testing.T) {
			c := newChip(t, amy)
			c.play(script{{selectPIV, "9000"}, {verifyRight, "9000"}, {verifyWrong, "63C2"}, {verifyRight, "9000"}, {"00CB3FFF055C035FC10210", "612D"}})
			again(c)
			if c.Verified() {
				t.Error("the PIN is still verified")
			}
			c.play(script{{"00C0000000", "6985"}, {verifyEmpty, "6D00"}, {selectPIV, "9000"}, {verifyEmpty, "63C3"}})
		})
	}
}

func TestTheRetryCounterOutlivesPower(t *testing.T) {
	c := newChip(t, amy)
	c.play(script{{selectPIV, "9000"}, {verifyWrong, "63C2"}})
	c.PowerOff()
	c.PowerOn()
	c.play(script{{selectPIV, "9000"}, {verifyEmpty, "63C2"}})
}

func TestAnOlderCardKnowsNoLogout(t *testing.T) {
	older := amy
	older.Older = true
	newChip(t, older).play(script{{selectPIV, "9000"}, {verifyRight, "9000"}, {logout, "6A86"}, {verifyEmpty, "9000"}})
}

func TestWhatSelectAndTheObjectsSay(t *testing.T) {
	c := newChip(t, amy)
	if got, want := c.want("9000", selectPIV), "4F060000100001007907"+"4F05A000000308"; !strings.Contains(got, want) || !strings.HasPrefix(got, "61") {
		t.Errorf("the application property template is %s", got)
	}
	if got, want := c.want("9000", "00CB3FFF035C017E00"), "7E124F0BA0000003080000100001005F2F024000"; got != want {
		t.Errorf("the discovery object is %s, want %s", got, want)
	}
	// The FASC-N is the one that all cards of no federal agency have.
	got := c.want("9000", chuid)
	if !strings.HasPrefix(got, "533B3019D4E739DA739CED39CE739D836858210842108421C84210C3EB3410") || !strings.HasSuffix(got, "3E00FE00") {
		t.Errorf("the CHUID is %s", got)
	}
	if got := c.want("9000", "00CB3FFF055C035FC10700"); !strings.HasPrefix(got, "5333F015A000000116FF02") {
		t.Errorf("the CCC is %s", got)
	}
}

// read collects a long answer by GET RESPONSE.
func (c chip) read(command string) []byte {
	c.t.Helper()
	data, sw := c.send(command)
	for strings.HasPrefix(sw, "61") {
		var more string
		more, sw = c.send("00C00000" + sw[2:])
		data += more
	}
	if sw != "9000" {
		c.t.Fatalf("%s: %s", command, sw)
	}
	return unhex(c.t, data)
}

func TestLongAnswersComeInAnyWay(t *testing.T) {
	c := newChip(t, amy)
	c.send(selectPIV)
	whole := c.read("00CB3FFF0000055C035FC1050000") // extended
	cert := c.Certificate(vcard.SlotAuthentication).Raw
	if !bytes.Contains(whole, cert) {
		t.Fatalf("the certificate is not in % X", whole)
	}
	for _, command := range []string{
		"00CB3FFF055C035FC10500",            // short Le
		"00CB3FFF055C035FC10501",            // one octet first
		"00CB3FFF055C035FC105",              // no Le
		"00CB3FFF0000055C035FC1050100",      // extended, but short of it
		"00CB3FFF0000055C035FC105" + "FFFF", // more than there is
	} {
		if got := c.read(command); !bytes.Equal(got, whole) {
			t.Errorf("%s gives another object, of %d octets", command, len(got))
		}
	}
}

// ISO 7816-3, 12.2: T=0 has no Le beside data, and answers are as long as asked
// for.
func TestTZero(t *testing.T) {
	profile := amy
	profile.Protocol = pcsc.ProtocolT0
	c := newChip(t, profile)
	if atr := c.ATR(); atr[1] != 0x0F || len(atr) != 17 {
		t.Errorf("the ATR of a T=0 card is % X", atr)
	}
	_, sw := c.send("00A4040009A00000030800001000")
	n := sw[2:]
	c.play(script{{"00C0000000", "6C" + n}, {"00C00000FF", "6C" + n}, {"00C00000" + n, "9000"}, {chuid, "613D"}, {"00C000003D", "9000"}})
}

func TestTheATRIsWellFormed(t *testing.T) {
	atr := newCard(t, amy).ATR()
	var check byte
	for _, b := range atr[1:] {
		check ^= b
	}
	if check != 0 || atr[0] != 0x3B || int(atr[1]&0x0F)+7 != len(atr) {
		t.Errorf("% X", atr)
	}
}

// authenticate asks for GENERAL AUTHENTICATE in a chain of short commands.
func (c chip) authenticate(algorithm byte, slot vcard.Slot, tag byte, input []byte) ([]byte, string) {
	c.t.Helper()
	length := func(n int) []byte {
		if n < 0x80 {
			return []byte{byte(n)}
		}
		return []byte{0x82, byte(n >> 8), byte(n)}
	}
	body := slices.Concat([]byte{0x82, 0, tag}, length(len(input)), input)
	body = slices.Concat([]byte{0x7C}, length(len(body)), body)
	header := fmt.Sprintf("87%02X%02X", algorithm, byte(slot))
	for len(body) > 200 {
		if _, sw := c.send("10" + header + "C8" + hex.EncodeToString(body[:200])); sw != "9000" {
			return nil, sw
		}
		body = body[200:]
	}
	data, sw := c.send("00" + header + fmt.Sprintf("%02X", len(body)) + hex.EncodeToString(body) + "00")
	for strings.HasPrefix(sw, "61") {
		var more string
		more, sw = c.send("00C00000" + sw[2:])
		data += more
	}
	if sw != "9000" {
		return nil, sw
	}
	answer := unhex(c.t, data)
	for range 2 { // 7C, 82
		head := 2
		if answer[1] > 0x80 {
			head += int(answer[1] & 0x7F)
		}
		answer = answer[head:]
	}
	return answer, sw
}

func TestRSAIsTheBareOperation(t *testing.T) {
	c := newChip(t, vcard.Profile{User: "555212345678", Surname: "Pond", Forename: "Amy"})
	c.play(script{{selectPIV, "9000"}, {verifyRight, "9000"}})
	public := c.Certificate(vcard.SlotAuthentication).PublicKey.(*rsa.PublicKey)
	input := bytes.Repeat([]byte{0x5A}, 256)
	output, sw := c.authenticate(0x07, vcard.SlotAuthentication, 0x81, input)
	if sw != "9000" || len(output) != 256 {
		t.Fatalf("%s, %d octets", sw, len(output))
	}
	back := new(big.Int).Exp(new(big.Int).SetBytes(output), big.NewInt(int64(public.E)), public.N)
	if !bytes.Equal(back.FillBytes(make([]byte, 256)), input) {
		t.Error("the public key does not undo it")
	}
	for name, bad := range map[string][]byte{"short": input[1:], "long": append(input, 1), "not below the modulus": bytes.Repeat([]byte{0xFF}, 256)} {
		if _, sw := c.authenticate(0x07, vcard.SlotAuthentication, 0x81, bad); sw != "6A80" {
			t.Errorf("%s: %s", name, sw)
		}
	}
	if _, sw := c.authenticate(0x11, vcard.SlotAuthentication, 0x81, input); sw != "6A86" {
		t.Errorf("the algorithm of another key: %s", sw)
	}
}

// SP 800-73-4 part 1, table 4b: authentication PIN once, signature PIN always,
// card authentication never.
func TestPINPolicies(t *testing.T) {
	profile := amy
	profile.Slots = []vcard.Slot{vcard.SlotAuthentication, vcard.SlotSignature, vcard.SlotKeyManagement, vcard.SlotCardAuthentication}
	c := newChip(t, profile)
	digest := sha256.Sum256([]byte("data"))
	signs := func(slot vcard.Slot) string {
		signature, sw := c.authenticate(0x11, slot, 0x81, digest[:])
		if sw == "9000" && !ecdsa.VerifyASN1(c.Certificate(slot).PublicKey.(*ecdsa.PublicKey), digest[:], signature) {
			return "a wrong signature"
		}
		return sw
	}
	c.want("9000", selectPIV)
	for i, step := range []struct {
		command string
		slot    vcard.Slot
		want    string
	}{
		{"", vcard.SlotAuthentication, "6982"},
		{"", vcard.SlotSignature, "6982"},
		{"", vcard.SlotCardAuthentication, "9000"},
		{verifyRight, vcard.SlotAuthentication, "9000"},
		{"", vcard.SlotAuthentication, "9000"},
		{"", vcard.SlotSignature, "6982"}, // VERIFY was not just before
		{verifyRight, vcard.SlotSignature, "9000"},
		{"", vcard.SlotSignature, "6982"},
		{"", vcard.SlotAuthentication, "9000"},
		{verifyEmpty, vcard.SlotSignature, "6982"},
		{verifyRight + " " + chuid, vcard.SlotSignature, "6982"}, // one read too many
		{verifyRight + " " + verifyEmpty, vcard.SlotSignature, "6982"},
		{logout, vcard.SlotAuthentication, "6982"},
		{"", vcard.SlotKeyManagement, "6A80"}, // which agrees on keys, and signs nothing
	} {
		if step.slot == vcard.SlotKeyManagement {
			c.want("9000", verifyRight)
		}
		for _, command := range strings.Fields(step.command) {
			c.want("9000", command)
		}
		if got := signs(step.slot); got != step.want {
			t.Errorf("step %d, slot %s: %s, want %s", i, step.slot, got, step.want)
		}
	}
}

func TestKeyManagementAgreesOnASecret(t *testing.T) {
	profile := amy
	profile.Slots = []vcard.Slot{vcard.SlotKeyManagement}
	c := newChip(t, profile)
	c.play(script{{selectPIV, "9000"}, {verifyRight, "9000"}})
	mine, err := ecdh.P256().GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := c.Certificate(vcard.SlotKeyManagement).PublicKey.(*ecdsa.PublicKey).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	want, err := mine.ECDH(theirs)
	if err != nil {
		t.Fatal(err)
	}
	got, sw := c.authenticate(0x11, vcard.SlotKeyManagement, 0x85, mine.PublicKey().Bytes())
	if !bytes.Equal(got, want) {
		t.Errorf("%s: % X, want % X", sw, got, want)
	}
	if _, sw := c.authenticate(0x11, vcard.SlotKeyManagement, 0x85, make([]byte, 65)); sw != "6A80" {
		t.Errorf("a point not on the curve: %s", sw)
	}
}

func TestATemplateThatIsNotOneIsRefused(t *testing.T) {
	c := newChip(t, amy)
	c.play(script{{selectPIV, "9000"}, {verifyRight, "9000"}})
	for _, bad := range []string{"7C", "7C00", "7C0281FF", "7C028100", "7C028200", "7C0482008100", "7C07820081018205" + "00", "7D0582008101AA", "7C0582008101AA00", "7C048101AA82", "7C80", "7C8300000182"} {
		if _, sw := c.send(fmt.Sprintf("0087119A%02X%s00", len(bad)/2, bad)); sw != "6A80" {
			t.Errorf("%q: %s", bad, sw)
		}
	}
	// The other order is as good.
	if _, sw := c.send("0087119A077C058101AA8200" + "00"); sw != "9000" {
		t.Errorf("the response asked for at the end: %s", sw)
	}
}

func TestTheCertificatesLookLikeNHSTestCards(t *testing.T) {
	ca := newCA(t)
	card := newCard(t, amy)
	roots, intermediates := ca.Pools()
	for slot, usage := range map[vcard.Slot]x509.KeyUsage{
		vcard.SlotAuthentication: x509.KeyUsageDigitalSignature,
		vcard.SlotSignature:      x509.KeyUsageContentCommitment,
	} {
		cert := card.Certificate(slot)
		if got, want := cert.Subject.String(), "CN=555212345678_Pond_Amy,OU=People,O=nhs"; got != want {
			t.Errorf("%s: subject %s, want %s", slot, got, want)
		}
		if got, want := cert.Issuer.String(), "CN=NHS INT Level 1D,OU=CA,O=nhs"; got != want {
			t.Errorf("%s: issuer %s, want %s", slot, got, want)
		}
		if cert.KeyUsage != usage {
			t.Errorf("%s: key usage %b", slot, cert.KeyUsage)
		}
		for _, ext := range cert.Extensions {
			if ext.Id.String() == "2.5.29.15" && !ext.Critical {
				t.Errorf("%s: key usage is not critical", slot)
			}
		}
		if got := cert.NotBefore.AddDate(2, 0, 0); !got.Equal(cert.NotAfter) {
			t.Errorf("%s: valid from %v to %v, want two years", slot, cert.NotBefore, cert.NotAfter)
		}
		if !bytes.Contains(cert.Raw, []byte("authbridge test CA: a virtual card")) || len(cert.Policies) != 1 {
			t.Errorf("%s does not say that it is ours", slot)
		}
		chains, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			t.Errorf("%s: %v", slot, err)
		} else if root := chains[0][len(chains[0])-1]; !strings.Contains(root.Subject.String(), "authbridge test CA") {
			t.Errorf("%s: the root is %s", slot, root.Subject)
		}
	}
}
