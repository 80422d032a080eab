package apdu

import (
	"context"
	"slices"
)

// Transmitter gives one command APDU to a card and returns its answer as it
// came, which may be too short to be one. It must not use command once it has
// returned: it may hold a PIN, and is cleared then.
type Transmitter interface {
	Transmit(ctx context.Context, command []byte) ([]byte, error)
}

// Bounds of what a card may make [Send] do.
const (
	maxAnswer      = MaxExtendedLe // octets of data in all
	maxGetResponse = 512           // commands for one answer
)

// Send gives the card a command, in several parts if it must, and returns the
// whole answer. If the status word is not 9000 the error is a [*StatusError]
// and the response is there as well. Other errors are an [*AnswerError], the
// transmitter's own, or the context's.
func Send(ctx context.Context, t Transmitter, c Command) (Response, error) {
	parts, err := c.Encode()
	defer func() {
		for _, part := range parts {
			clear(part)
		}
	}()
	if err != nil {
		return Response{}, err
	}
	last := len(parts) - 1
	for _, part := range parts[:last] {
		r, err := exchange(ctx, t, part)
		if err != nil {
			return Response{}, err
		}
		if r.SW != SWSuccess {
			return r, &StatusError{INS: c.INS, SW: r.SW}
		}
	}
	r, err := exchange(ctx, t, parts[last])
	if err != nil {
		return Response{}, err
	}
	if le, wrong := r.SW.rightLe(); wrong && mayResend(c, parts) {
		c.Le = le
		if r, err = once(ctx, t, c); err != nil {
			return Response{}, err
		}
	}
	if r, err = collect(ctx, t, c, r); err != nil {
		return Response{}, err
	}
	if r.SW != SWSuccess {
		return r, &StatusError{INS: c.INS, SW: r.SW}
	}
	return r, nil
}

// mayResend is whether a command may be sent again with the Le that the card
// wants. One with a PIN never is, whatever a card says: it would be another try.
// One without Le cannot have a wrong one, and a chain that is over cannot be
// ended again.
func mayResend(c Command, parts [][]byte) bool {
	switch c.INS {
	case insVerify, insChangeReferenceData, insResetRetryCounter:
		return false
	}
	return c.Le > 0 && len(parts) == 1
}

// collect follows 61xx until all of the answer is there (ISO 7816-4, 5.3.4).
func collect(ctx context.Context, t Transmitter, c Command, first Response) (Response, error) {
	more, pending := first.SW.MoreData()
	if !pending {
		return first, nil
	}
	all := Response{Data: slices.Clone(first.Data)}
	for range maxGetResponse {
		get := Command{CLA: getResponseClass(c.CLA), INS: insGetResponse, Le: more}
		r, err := once(ctx, t, get)
		if err != nil {
			return Response{}, err
		}
		if le, wrong := r.SW.rightLe(); wrong {
			get.Le = le
			if r, err = once(ctx, t, get); err != nil {
				return Response{}, err
			}
		}
		all.Data = append(all.Data, r.Data...)
		if len(all.Data) > maxAnswer {
			return Response{}, &AnswerError{INS: c.INS, Length: len(all.Data), Err: ErrTooLong}
		}
		more, pending = r.SW.MoreData()
		if !pending {
			all.SW = r.SW
			return all, nil
		}
		if len(r.Data) == 0 {
			return Response{}, &AnswerError{INS: c.INS, Length: len(all.Data), Err: ErrStalled}
		}
	}
	return Response{}, &AnswerError{INS: c.INS, Length: len(all.Data), Err: ErrTooLong}
}

// getResponseClass is the class of GET RESPONSE after a command: its logical
// channel and nothing else (ISO 7816-4, 5.4.1).
func getResponseClass(cla byte) byte {
	switch {
	case cla&0xE0 == 0: // first interindustry values
		return cla & 0x03
	case cla&0xC0 == 0x40: // further interindustry values
		return cla & 0x4F
	default: // proprietary
		return 0
	}
}

// once sends a command that fits into one APDU.
func once(ctx context.Context, t Transmitter, c Command) (Response, error) {
	parts, err := c.Encode()
	if err != nil {
		return Response{}, err
	}
	defer clear(parts[0])
	return exchange(ctx, t, parts[0])
}

func exchange(ctx context.Context, t Transmitter, raw []byte) (Response, error) {
	if err := ctx.Err(); err != nil {
		return Response{}, err
	}
	ins := raw[1]
	answer, err := t.Transmit(ctx, raw)
	if err != nil {
		return Response{}, err
	}
	r, err := ParseResponse(answer)
	if err != nil {
		return Response{}, &AnswerError{INS: ins, Length: len(answer), Err: err}
	}
	return r, nil
}
