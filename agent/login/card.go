package login

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// challenge is what the mock wants a smartcard to sign, and proof the signature
// (the octets are those that package mockcis2 documents).
type challenge struct {
	Reference string `json:"reference"`
	Data      []byte `json:"data"`
}

type proof struct {
	Reference   string `json:"reference"`
	Certificate []byte `json:"certificate"`
	Signature   []byte `json:"signature"`
	Hash        string `json:"hash"`
	Signed      []byte `json:"signed,omitempty"`
}

const challengeLabel = "authbridge proof v1"

// signWithCard has the card sign for a reference that the page shows. What is
// signed is looked at first: a signature is an identity (DESIGN rule 9).
func (o *run) signWithCard(ctx context.Context, s *contract.LoginStep, p *page, r *request, most time.Duration) (*proof, error) {
	address, err := o.resolve("/proof/" + url.PathEscape(p.Reference))
	if err != nil {
		return nil, err
	}
	a, err := o.web.get(ctx, "challenge", address)
	if err != nil {
		return nil, err
	}
	var c challenge
	if err := a.read(&c); err != nil {
		return nil, err
	}
	if !o.binds(c.Data, p.Reference, r) {
		return nil, a.bad("it is not that of this login")
	}
	result, err := o.perform(ctx, s, contract.CeremonyRequest{Type: contract.CeremonySign, Data: c.Data, Timeout: left(ctx, most)})
	if err != nil {
		return nil, err
	}
	return &proof{Reference: p.Reference, Certificate: result.Certificate, Signature: result.Signature, Hash: result.Hash, Signed: result.Signed}, nil
}

// binds is whether a challenge is for this issuer, client, nonce and reference,
// and made now.
func (o *run) binds(data []byte, reference string, r *request) bool {
	want := bytes.Join([][]byte{
		[]byte(challengeLabel), []byte(o.asked.target.Issuer), []byte(o.asked.target.ClientID), []byte(r.nonce), []byte(reference), nil,
	}, []byte{0})
	made, ok := bytes.CutPrefix(data, want)
	if !ok {
		return false
	}
	_, err := time.Parse(time.RFC3339, string(made))
	return err == nil
}

// bring brings a proof to the sign-in service. A refusal is its own, and no
// error.
func (o *run) bring(ctx context.Context, p *proof) (refused *refusal, err error) {
	address, err := o.resolve("/proof")
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	a, err := o.web.call(ctx, "proof", http.MethodPost, address, bytes.NewReader(body), "Content-Type", typeJSON)
	if err != nil {
		return nil, err
	}
	if refused := a.refusal(); refused != nil && a.status >= 400 && a.status < 500 {
		return refused, nil
	}
	if a.status != http.StatusOK {
		return nil, a.unexpected()
	}
	return nil, nil
}

// stepProof is the step in which the sign-in service takes, or does not take, what
// the authenticator has signed.
const stepProof = "proof"

// byCard signs in with the leased smartcard.
func (o *run) byCard(ctx context.Context, p *page, r *request) (next *page, err error) {
	var signed *proof
	err = o.step(ctx, "ceremony", "a signature of the card over the challenge", func(ctx context.Context, s *contract.LoginStep) (err error) {
		signed, err = o.signWithCard(ctx, s, p, r, longestTime)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = o.step(ctx, stepProof, "accepted", func(ctx context.Context, s *contract.LoginStep) error {
		refused, err := o.bring(ctx, signed)
		if err != nil {
			return err
		}
		if refused != nil {
			return &failure.Error{Code: failure.LoginRefused, Detail: refused.String()}
		}
		s.Got = "accepted"
		next, err = o.look(ctx, p)
		return err
	})
	return next, err
}
