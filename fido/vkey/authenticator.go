package vkey

import "time"

// The version of what this package implements, as firmware version.
const (
	firmwareMajor = 1
	firmwareMinor = 0
	firmwareBuild = 0
)

// Limits that authenticatorGetInfo tells.
const (
	maxMsgSize               = 1200
	maxCredentialCountInList = 8
	maxCredentialIDLength    = 128
	maxDiscoverable          = 100
	minPINLength             = 4
	maxPINRetries            = 8
)

// AAGUID is the model of every virtual key of this package. In octets it
// reads "vkey authbridge!", so that nobody takes it for a product's.
const AAGUID = "vkey authbridge!"

// authenticator is what a key knows while it has power, above CTAPHID. What
// outlives that is the key's memory.
type authenticator struct {
	codec
	key       *Key
	mem       *memory
	poweredAt time.Time
	protocols [2]*pinProtocol
	// mismatches are consecutive wrong PINs since power up.
	mismatches int
	next       *nextAssertion
	managing   *enumeration
}

// result is what became of a command: an answer, or the wish for a touch and
// how the command ends with it or without.
type result struct {
	reply []byte
	touch func(now time.Time, touched bool) []byte
}

func fails(s status) result { return result{reply: []byte{byte(s)}} }

func newAuthenticator(key *Key, now time.Time) *authenticator {
	return &authenticator{
		codec: newCodec(), key: key, mem: key.mem, poweredAt: now,
		protocols: [2]*pinProtocol{newPINProtocol(1), newPINProtocol(2)},
	}
}

// command carries out a CTAP2 command: its octet and its parameters.
func (a *authenticator) command(now time.Time, message []byte) result {
	if len(message) > maxMsgSize {
		return fails(CTAP2_ERR_REQUEST_TOO_LARGE)
	}
	cmd, params := message[0], message[1:]
	if cmd == authenticatorCredentialManagementPreview {
		cmd = authenticatorCredentialManagement
	}
	for _, p := range a.protocols {
		p.expire(now)
	}
	// Stateful commands (CTAP 2.1, 6) go on only while nothing comes between.
	if cmd != authenticatorGetNextAssertion {
		a.next = nil
	}
	if cmd != authenticatorCredentialManagement {
		a.managing = nil
	}
	switch cmd {
	case authenticatorMakeCredential:
		return a.makeCredential(now, params)
	case authenticatorGetAssertion:
		return a.getAssertion(now, params)
	case authenticatorGetNextAssertion:
		return a.getNextAssertion(now)
	case authenticatorGetInfo:
		return result{reply: a.getInfo()}
	case authenticatorClientPIN:
		return result{reply: a.clientPIN(now, params)}
	case authenticatorCredentialManagement:
		return result{reply: a.manage(params)}
	case authenticatorReset:
		return a.reset(now)
	case authenticatorSelection:
		return result{touch: func(_ time.Time, touched bool) []byte {
			if !touched {
				return []byte{byte(CTAP2_ERR_USER_ACTION_TIMEOUT)}
			}
			return []byte{byte(CTAP2_OK)}
		}}
	default:
		return fails(CTAP1_ERR_INVALID_COMMAND)
	}
}

// getInfo answers authenticatorGetInfo (CTAP 2.1, 6.4).
func (a *authenticator) getInfo() []byte {
	type algorithm struct {
		Alg  int    `cbor:"alg"`
		Type string `cbor:"type"`
	}
	return a.answer(struct {
		Versions                         []string        `cbor:"1,keyasint"`
		Extensions                       []string        `cbor:"2,keyasint"`
		AAGUID                           []byte          `cbor:"3,keyasint"`
		Options                          map[string]bool `cbor:"4,keyasint"`
		MaxMsgSize                       int             `cbor:"5,keyasint"`
		PinUvAuthProtocols               []int           `cbor:"6,keyasint"`
		MaxCredentialCountInList         int             `cbor:"7,keyasint"`
		MaxCredentialIDLength            int             `cbor:"8,keyasint"`
		Transports                       []string        `cbor:"9,keyasint"`
		Algorithms                       []algorithm     `cbor:"10,keyasint"`
		MinPINLength                     int             `cbor:"13,keyasint"`
		FirmwareVersion                  int             `cbor:"14,keyasint"`
		RemainingDiscoverableCredentials int             `cbor:"20,keyasint"`
	}{
		Versions:   []string{"FIDO_2_0", "FIDO_2_1_PRE", "FIDO_2_1"},
		Extensions: []string{"credProtect", "hmac-secret"},
		AAGUID:     []byte(AAGUID),
		Options: map[string]bool{
			"rk": true, "up": true, "plat": false, "clientPin": a.pinSet(),
			"pinUvAuthToken": true, "makeCredUvNotRqd": true, "credMgmt": true, "credentialMgmtPreview": true,
		},
		MaxMsgSize:                       maxMsgSize,
		PinUvAuthProtocols:               []int{2, 1},
		MaxCredentialCountInList:         maxCredentialCountInList,
		MaxCredentialIDLength:            maxCredentialIDLength,
		Transports:                       []string{"usb"},
		Algorithms:                       []algorithm{{algES256, publicKey}},
		MinPINLength:                     minPINLength,
		FirmwareVersion:                  firmwareMajor<<16 | firmwareMinor<<8 | firmwareBuild,
		RemainingDiscoverableCredentials: maxDiscoverable - a.mem.count(),
	})
}

// reset returns the key to what it was when new (CTAP 2.1, 6.6): within 10 s
// of power up, and with a touch.
func (a *authenticator) reset(now time.Time) result {
	if now.Sub(a.poweredAt) > 10*time.Second {
		return fails(CTAP2_ERR_NOT_ALLOWED)
	}
	return result{touch: func(_ time.Time, touched bool) []byte {
		if !touched {
			return []byte{byte(CTAP2_ERR_USER_ACTION_TIMEOUT)}
		}
		if err := a.mem.wipe(); err != nil {
			return []byte{byte(CTAP1_ERR_OTHER)}
		}
		a.mismatches = 0
		for _, p := range a.protocols {
			p.regenerate()
			p.resetToken()
		}
		return []byte{byte(CTAP2_OK)}
	}}
}
