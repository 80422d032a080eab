package fido

import (
	"context"
	"errors"
)

// lists cuts a list of credential ids into such as a key takes in a message
// that has base octets without them. Ids that it cannot have made, by their
// length, are left out (CTAP 2.1, 6.4, maxCredentialCountInList and
// maxCredentialIdLength).
func lists(ids [][]byte, info *Info, base int) [][][]byte {
	// A descriptor's octets beside the id, and those of the list (CTAP 2.1, 8;
	// WebAuthn L3, 5.8.3): {"id": bytes, "type": "public-key"}.
	const (
		perID   = 1 + 3 + 3 + 5 + 11
		perList = 1 + 3
	)
	room := max(info.MaxMsgSize, leastMsgSize) - base - perList
	var all [][][]byte
	var left, size int
	for _, id := range ids {
		need := perID + len(id)
		if need > room || info.MaxIDLength > 0 && len(id) > info.MaxIDLength {
			continue
		}
		if left == 0 || size+need > room {
			all = append(all, nil)
			left, size = info.MaxListed, 0
			if left == 0 {
				left = len(ids)
			}
		}
		last := len(all) - 1
		all[last] = append(all[last], id)
		left--
		size += need
	}
	return all
}

// silent looks for the first of several lists in which a key finds a
// credential of its own (what CTAP 2.1 calls pre-flight): it is asked without user
// presence, so that no person is troubled, and for a signature over nothing.
// A credential that needs a verified user is found only where the token is good
// for an assertion.
func silent(ctx context.Context, c *channel, all [][][]byte, rpID string, token *Token) ([][]byte, error) {
	if token != nil && token.permits&PermitGetAssertion == 0 {
		token = nil
	}
	for _, list := range all {
		request := GetAssertion{RPID: rpID, Allow: list, NoUP: true}
		command, err := getAssertion(request, token.authenticate(request.ClientDataHash[:]))
		if err != nil {
			return nil, err
		}
		_, err = c.send(ctx, quick, nil, command)
		if err == nil {
			return list, nil
		}
		if !noCredentials(err) {
			return nil, err
		}
	}
	return nil, nil
}

func noCredentials(err error) bool {
	var refused *StatusError
	return errors.As(err, &refused) && refused.Status == CTAP2_ERR_NO_CREDENTIALS
}
