package webauthn

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what a page may send. Where a spec has one, it is that.
const (
	maxOptions    = 64 << 10 // octets of JSON
	maxChallenge  = 4 << 10  // octets
	maxUserID     = 64       // octets (WebAuthn L3, 5.4.3)
	maxName       = 1 << 10  // octets of UTF-8; keys truncate at 64 or more (6.4.1)
	maxRPID       = 253      // octets
	maxCredential = 1023     // octets (WebAuthn L3, 5.1)
	maxList       = 64       // entries; Chromium's bound of descriptor lists
)

// object is a JSON object whose members are taken one by one. Member names are
// compared exactly, which encoding/json does not do for structs; unknown ones
// are ignored; of two that are alike the last one counts, as in JavaScript.
type object struct {
	path    string // of the object in the options, with a dot at its end
	members map[string]json.RawMessage
}

// parseOptions reads the options themselves.
func parseOptions(data []byte) (object, error) {
	if len(data) > maxOptions {
		return object{}, malformed(RangeError, "", fmt.Sprintf("the options have more than %d octets", maxOptions))
	}
	o := object{}
	if err := json.Unmarshal(data, &o.members); err != nil || o.members == nil {
		return object{}, malformed(TypeError, "", "the options are no JSON object")
	}
	return o, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// object is a member that is a dictionary. One that is missing or null is
// empty, as Web IDL has it.
func (o object) object(name string) (object, error) {
	sub := object{path: o.path + name + "."}
	raw := o.members[name]
	if isNull(raw) {
		return sub, nil
	}
	if json.Unmarshal(raw, &sub.members) != nil {
		return sub, malformed(TypeError, o.path+name, "not an object")
	}
	return sub, nil
}

// required is object for a dictionary that must be there.
func (o object) required(name string) (object, error) {
	if isNull(o.members[name]) {
		return object{}, malformed(TypeError, o.path+name, "missing")
	}
	return o.object(name)
}

// str is a string that must be there, of max octets at most.
func (o object) str(name string, most int) (string, error) {
	raw, ok := o.members[name]
	if !ok {
		return "", malformed(TypeError, o.path+name, "missing")
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", malformed(TypeError, o.path+name, "not a string")
	}
	if len(*s) > most {
		return "", malformed(RangeError, o.path+name, fmt.Sprintf("longer than %d octets", most))
	}
	return *s, nil
}

// enum is an optional string with a known set of values. Others are as if they
// were not there (WebAuthn L3, 2.1.1), and so is null.
func (o object) enum(name string, known ...string) (string, error) {
	raw := o.members[name]
	if isNull(raw) {
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", malformed(TypeError, o.path+name, "not a string")
	}
	if !slices.Contains(known, s) {
		return "", nil
	}
	return s, nil
}

// boolean is an optional boolean; false where it is missing or null.
func (o object) boolean(name string) (bool, error) {
	raw := o.members[name]
	if isNull(raw) {
		return false, nil
	}
	var b bool
	if json.Unmarshal(raw, &b) != nil {
		return false, malformed(TypeError, o.path+name, "not a boolean")
	}
	return b, nil
}

// octets is a Base64URLString that must be there, of 1 to max octets.
func (o object) octets(name string, most int, tooLong ErrorName) ([]byte, error) {
	s, err := o.str(name, maxOptions)
	if err != nil {
		return nil, err
	}
	// Go's decoder skips line breaks, which base64url of the spec has none of;
	// nor has it padding (WebAuthn L3, 4, base64url encoding).
	data, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil, malformed(EncodingError, o.path+name, "not base64url without padding")
	}
	if len(data) == 0 {
		return nil, malformed(TypeError, o.path+name, "empty")
	}
	if len(data) > most {
		return nil, malformed(tooLong, o.path+name, fmt.Sprintf("longer than %d octets", most))
	}
	return data, nil
}

// list is a sequence; a missing one is empty, null is none.
func (o object) list(name string) ([]json.RawMessage, error) {
	raw, ok := o.members[name]
	if !ok {
		return nil, nil
	}
	var all []json.RawMessage
	if string(raw) == "null" || json.Unmarshal(raw, &all) != nil {
		return nil, malformed(TypeError, o.path+name, "not a list")
	}
	if len(all) > maxList {
		return nil, malformed(RangeError, o.path+name, fmt.Sprintf("more than %d entries", maxList))
	}
	return all, nil
}

// objects is a sequence of dictionaries.
func (o object) objects(name string) ([]object, error) {
	all, err := o.list(name)
	if err != nil {
		return nil, err
	}
	items := make([]object, len(all))
	for i, raw := range all {
		items[i].path = fmt.Sprintf("%s%s[%d].", o.path, name, i)
		if string(raw) == "null" || json.Unmarshal(raw, &items[i].members) != nil {
			return nil, malformed(TypeError, strings.TrimSuffix(items[i].path, "."), "not an object")
		}
	}
	return items, nil
}

// strings is a sequence of strings of which the unknown ones are dropped.
func (o object) strings(name string, known []string) ([]string, error) {
	all, err := o.list(name)
	if err != nil {
		return nil, err
	}
	var some []string
	for i, raw := range all {
		var s *string
		if json.Unmarshal(raw, &s) != nil || s == nil {
			return nil, malformed(TypeError, fmt.Sprintf("%s%s[%d]", o.path, name, i), "not a string")
		}
		if slices.Contains(known, *s) {
			some = append(some, *s)
		}
	}
	return some, nil
}

// algorithm is a COSEAlgorithmIdentifier, which is a long.
func (o object) algorithm(name string) (int64, error) {
	n, err := strconv.ParseInt(string(o.members[name]), 10, 32)
	if err != nil {
		return 0, malformed(TypeError, o.path+name, "not a 32-bit integer")
	}
	return n, nil
}

// transports are those of AuthenticatorTransport (WebAuthn L3, 5.8.4), in the
// order in which a response lists them.
var transports = []string{"ble", "hybrid", "internal", "nfc", "smart-card", "usb"}

const publicKeyType = "public-key"

// descriptors is a sequence of PublicKeyCredentialDescriptorJSON without those
// of an unknown type (WebAuthn L3, 5.8.3). given is how many there were.
func (o object) descriptors(name string) (known []Descriptor, given int, err error) {
	all, err := o.objects(name)
	if err != nil {
		return nil, 0, err
	}
	for _, item := range all {
		kind, err := item.str("type", maxName)
		if err != nil {
			return nil, 0, err
		}
		id, err := item.octets("id", maxCredential, RangeError)
		if err != nil {
			return nil, 0, err
		}
		via, err := item.strings("transports", transports)
		if err != nil {
			return nil, 0, err
		}
		if kind == publicKeyType {
			known = append(known, Descriptor{ID: id, Transports: via})
		}
	}
	return known, len(all), nil
}

// requirement is a UserVerificationRequirement or ResidentKeyRequirement.
func (o object) requirement(name string) (Requirement, error) {
	s, err := o.enum(name, string(Required), string(Preferred), string(Discouraged))
	return Requirement(s), err
}

// rpID is an optional RP ID. One that is there is not empty: an empty string
// is no domain, and must not pass for the default.
func (o object) rpID(name string) (string, error) {
	if _, ok := o.members[name]; !ok {
		return "", nil
	}
	s, err := o.str(name, maxRPID)
	if err == nil && s == "" {
		return "", rpIDRefused(o.path + name + " is empty")
	}
	return s, err
}
