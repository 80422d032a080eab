//go:build linux && cgo

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// canary is a PIN or token that is nowhere but where the test puts it.
type canary struct {
	name  string // the way it went, for whoever reads that it was found
	value string
}

// The forms in which a canary may be found.
const (
	inPlain  = "in plain"
	asSHA256 = "as SHA-256"
)

// found is a canary in a place.
type found struct {
	*canary
	form string // what was made of it, and how that is written
	at   int
}

func (f found) String() string { return fmt.Sprintf("%q (%s) %s at %d", f.value, f.name, f.form, f.at) }

// needle is one way to write a canary.
type needle struct {
	*canary
	form   string
	octets []byte
}

// searcher finds canaries in octets. All needles begin with four octets or more,
// by which they are looked up.
type searcher map[uint32][]needle

func (s searcher) add(c *canary) {
	sum := sha256.Sum256([]byte(c.value))
	padded := sha256.Sum256(append([]byte(c.value), bytes.Repeat([]byte{0xFF}, max(0, 8-len(c.value)))...))
	s.write(c, inPlain, []byte(c.value))
	s.write(c, asSHA256, sum[:])
	s.write(c, "as the left half of SHA-256", sum[:16])
	if padded != sum {
		s.write(c, "padded, as SHA-256", padded[:])
	}
	wide := utf16.Encode([]rune(c.value))
	var little, big []byte
	for _, unit := range wide {
		little, big = binary.LittleEndian.AppendUint16(little, unit), binary.BigEndian.AppendUint16(big, unit)
	}
	s.put(c, inPlain+" in UTF-16LE", little)
	s.put(c, inPlain+" in UTF-16BE", big)
}

// write adds the ways to write octets.
func (s searcher) write(c *canary, form string, octets []byte) {
	s.put(c, form, octets)
	s.put(c, form+" in hex", []byte(hex.EncodeToString(octets)))
	s.put(c, form+" in hex", []byte(strings.ToUpper(hex.EncodeToString(octets))))
	s.put(c, form+" in hex with blanks", fmt.Appendf(nil, "% x", octets))
	s.put(c, form+" in hex with blanks", fmt.Appendf(nil, "% X", octets))
	s.put(c, form+" in decimal", bytes.Trim(fmt.Append(nil, octets), "[]"))
	for before := range 3 {
		all := append(make([]byte, before), octets...)
		for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := coding.EncodeToString(all)
			// Without the digits that neighbours have a part in.
			s.put(c, fmt.Sprintf("%s in base64 after %d", form, before), []byte(text[(before*8+5)/6:len(all)*8/6]))
		}
	}
}

func (s searcher) put(c *canary, form string, octets []byte) {
	head := binary.BigEndian.Uint32(octets)
	s[head] = append(s[head], needle{c, form, octets})
}

// search finds all canaries, each form of one once.
func (s searcher) search(data []byte) (all []found) {
	type which struct {
		*canary
		form string
	}
	seen := make(map[which]bool)
	for at := 0; at+4 <= len(data); at++ {
		for _, n := range s[binary.BigEndian.Uint32(data[at:])] {
			if seen[which{n.canary, n.form}] || !bytes.HasPrefix(data[at:], n.octets) || inNumber(data, at, n.octets) {
				continue
			}
			seen[which{n.canary, n.form}] = true
			all = append(all, found{n.canary, n.form, at})
		}
	}
	return all
}

// inNumber is whether digits stand among more digits: times in nanoseconds have
// any eight digits some day.
func inNumber(data []byte, at int, octets []byte) bool {
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	end := at + len(octets)
	return !slices.ContainsFunc(octets, func(c byte) bool { return !digit(c) }) &&
		(at > 0 && digit(data[at-1]) || end < len(data) && digit(data[end]))
}

// The test of secrets proves nothing if this one fails.
func TestTheSearchFindsASecretInEveryForm(t *testing.T) {
	for _, value := range []string{"48151623", "481516", "canary-PIN-€", "authbridge_lease_" + rand.Text()} {
		s := make(searcher)
		s.add(&canary{"planted", value})
		s.add(&canary{"another", rand.Text()})
		sum := sha256.Sum256([]byte(value))
		padded := append([]byte(value), bytes.Repeat([]byte{0xFF}, max(0, 8-len(value)))...)
		var wide []byte
		for _, unit := range utf16.Encode([]rune(value)) {
			wide = binary.LittleEndian.AppendUint16(wide, unit)
		}
		places := map[string]string{
			"plain": value, "padded": string(padded), "JSON": `{"pin":"` + value + `"}`, "wide": string(wide),
			"hex": hex.EncodeToString(padded), "HEX": fmt.Sprintf("%X", padded), "an APDU": fmt.Sprintf("00 20 00 80 08 % X", padded),
			"octets in Go": fmt.Sprintf("%d", padded), "hash": string(sum[:]), "pinHash": string(sum[:16]), "hash in hex": hex.EncodeToString(sum[:]),
			"hash in JSON": base64.StdEncoding.EncodeToString(sum[:]), "pinHash in base64url": base64.RawURLEncoding.EncodeToString(sum[:16]),
		}
		for n := range 3 {
			places[fmt.Sprint("base64 after ", n)] = base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte{0xFB}, n), padded...))
			places[fmt.Sprint("base64url after ", n)] = base64.URLEncoding.EncodeToString(slices.Concat(bytes.Repeat([]byte{0xFB}, n), []byte(value), []byte("more")))
		}
		for name, text := range places {
			noise := make([]byte, 500)
			_, _ = rand.Read(noise)
			for i := range noise {
				noise[i] |= 0x80 // no digits
			}
			got := s.search(slices.Concat(noise, []byte(text), noise))
			if len(got) == 0 || slices.ContainsFunc(got, func(f found) bool { return f.name != "planted" || f.at < 500 }) {
				t.Errorf("%s, %s: found %v", value, name, got)
			}
		}
	}
	s := make(searcher)
	s.add(&canary{"a PIN of digits", "48151623"})
	if got := s.search([]byte("2026-01-02T03:04:05.481516234Z 148151623 4815162")); len(got) != 0 {
		t.Errorf("found in times: %v", got)
	}
}
