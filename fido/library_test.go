package fido

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
)

// The library panics, for one, at answers without data and at continuation
// packets; here it is given whatever its door lets through.
func TestTheLibraryIsGivenWellFormedAnswersOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer []byte
		want   error
		status Status
	}{
		"no data":           {[]byte{0}, ErrMalformed, 0},
		"no CBOR":           {[]byte{0, 0xff}, ErrMalformed, 0},
		"CBOR cut short":    {[]byte{0, 0xa1}, ErrMalformed, 0},
		"a status":          {[]byte{byte(CTAP2_ERR_NOT_ALLOWED)}, nil, CTAP2_ERR_NOT_ALLOWED},
		"a status and more": {[]byte{byte(CTAP2_ERR_PIN_BLOCKED), 1, 2, 3}, nil, CTAP2_ERR_PIN_BLOCKED},
		"an unknown status": {[]byte{0x99}, nil, 0x99},
		"a long answer":     {append([]byte{0}, encoded(t, map[int]any{3: 5, 2: make([]byte, 900)})...), nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := cborKey(t, func(s *script, cid uint32, _ message) { s.reply(cid, CTAPHID_CBOR, c.answer...) })
				ch := opened(t, s)
				data, err := ch.getPINRetries(t.Context(), 2)
				if err == nil {
					_, _, err = parseRetries(data, false)
				}
				var refused *StatusError
				switch {
				case c.status != 0:
					if !errors.As(err, &refused) || refused.Status != c.status || refused.Command != authenticatorClientPIN {
						t.Errorf("%v, want status %v", err, c.status)
					}
				case !errors.Is(err, c.want):
					t.Errorf("%v, want %v", err, c.want)
				}
				want := append([]byte{authenticatorClientPIN}, encoded(t, map[int]any{1: 2, 2: 1})...)
				if got := s.messages(); len(got) != 1 || got[0].cmd != CTAPHID_CBOR || !bytes.Equal(got[0].data, want) {
					t.Errorf("sent %v, want %x", got, want)
				}
			})
		})
	}
}
