package vkey

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// Subcommands of authenticatorCredentialManagement (CTAP 2.1, 6.8).
const (
	getCredsMetadata                      = 0x01
	enumerateRPsBegin                     = 0x02
	enumerateRPsGetNextRP                 = 0x03
	enumerateCredentialsBegin             = 0x04
	enumerateCredentialsGetNextCredential = 0x05
	deleteCredential                      = 0x06
	updateUserInformation                 = 0x07
)

type manageRequest struct {
	SubCommand        *uint64         `cbor:"1,keyasint"`
	SubCommandParams  cbor.RawMessage `cbor:"2,keyasint"`
	PinUvAuthProtocol *uint64         `cbor:"3,keyasint"`
	PinUvAuthParam    []byte          `cbor:"4,keyasint"`
}

type manageParams struct {
	RPIDHash     []byte      `cbor:"1,keyasint"`
	CredentialID *descriptor `cbor:"2,keyasint"`
	User         *userEntity `cbor:"3,keyasint"`
}

// enumeration is what is left to tell of a list that was begun.
type enumeration struct {
	rps         []credential // one for each relying party
	credentials []credential
}

// manage carries out authenticatorCredentialManagement (CTAP 2.1, 6.8).
func (a *authenticator) manage(message []byte) []byte {
	var req manageRequest
	if s := a.decode(message, &req); s != CTAP2_OK {
		return []byte{byte(s)}
	}
	if req.SubCommand == nil {
		return []byte{byte(CTAP2_ERR_MISSING_PARAMETER)}
	}
	left := a.managing
	a.managing = nil
	var out any
	var s status
	switch *req.SubCommand {
	case enumerateRPsGetNextRP:
		out, s = a.nextRP(left)
	case enumerateCredentialsGetNextCredential:
		out, s = a.nextCredential(left)
	case getCredsMetadata, enumerateRPsBegin, enumerateCredentialsBegin, deleteCredential, updateUserInformation:
		var params manageParams
		if req.SubCommandParams != nil {
			if err := a.dec.Unmarshal(req.SubCommandParams, &params); err != nil {
				return []byte{byte(CTAP2_ERR_CBOR_UNEXPECTED_TYPE)}
			}
		}
		var p *pinProtocol
		if p, s = a.manager(&req); s == CTAP2_OK {
			out, s = a.manageWith(*req.SubCommand, p, &params)
		}
	default:
		s = CTAP2_ERR_INVALID_SUBCOMMAND
	}
	if s != CTAP2_OK || out == nil {
		return []byte{byte(s)}
	}
	return a.answer(out)
}

// manager is the protocol whose token allows the request.
func (a *authenticator) manager(req *manageRequest) (*pinProtocol, status) {
	if req.PinUvAuthParam == nil {
		return nil, CTAP2_ERR_PUAT_REQUIRED
	}
	if req.PinUvAuthProtocol == nil {
		return nil, CTAP2_ERR_MISSING_PARAMETER
	}
	p := a.protocol(*req.PinUvAuthProtocol)
	if p == nil {
		return nil, CTAP1_ERR_INVALID_PARAMETER
	}
	message := append([]byte{byte(*req.SubCommand)}, req.SubCommandParams...)
	if !p.verifyToken(message, req.PinUvAuthParam) || p.permissions&permissionCM == 0 {
		return nil, CTAP2_ERR_PIN_AUTH_INVALID
	}
	p.used = true
	return p, CTAP2_OK
}

// manageWith carries out the subcommands that need a token.
func (a *authenticator) manageWith(sub uint64, p *pinProtocol, params *manageParams) (any, status) {
	switch sub {
	case getCredsMetadata:
		if p.rpID != "" {
			return nil, CTAP2_ERR_PIN_AUTH_INVALID
		}
		n := a.mem.count()
		return struct {
			Existing  int `cbor:"1,keyasint"`
			Remaining int `cbor:"2,keyasint"`
		}{n, maxDiscoverable - n}, CTAP2_OK
	case enumerateRPsBegin:
		if p.rpID != "" {
			return nil, CTAP2_ERR_PIN_AUTH_INVALID
		}
		return a.beginRPs()
	case enumerateCredentialsBegin:
		if params.RPIDHash == nil {
			return nil, CTAP2_ERR_MISSING_PARAMETER
		}
		if p.rpID != "" && !hashes(p.rpID, params.RPIDHash) {
			return nil, CTAP2_ERR_PIN_AUTH_INVALID
		}
		return a.beginCredentials(params.RPIDHash)
	default:
		return nil, a.edit(sub, p, params)
	}
}

// edit deletes a credential or renames its user.
func (a *authenticator) edit(sub uint64, p *pinProtocol, params *manageParams) status {
	if params.CredentialID == nil || sub == updateUserInformation && params.User == nil {
		return CTAP2_ERR_MISSING_PARAMETER
	}
	found := a.mem.find(func(c *credential) bool { return bytes.Equal(c.ID, params.CredentialID.ID) })
	if len(found) == 0 {
		return CTAP2_ERR_NO_CREDENTIALS
	}
	if p.rpID != "" && p.rpID != found[0].RPID {
		return CTAP2_ERR_PIN_AUTH_INVALID
	}
	at := func(s *state) int {
		return slices.IndexFunc(s.Credentials, func(c credential) bool { return bytes.Equal(c.ID, found[0].ID) })
	}
	var err error
	if sub == deleteCredential {
		err = a.mem.change(func(s *state) { i := at(s); s.Credentials = slices.Delete(s.Credentials, i, i+1) })
	} else {
		if !bytes.Equal(found[0].UserID, params.User.ID) {
			return CTAP1_ERR_INVALID_PARAMETER
		}
		err = a.mem.change(func(s *state) {
			c := &s.Credentials[at(s)]
			c.UserName, c.DisplayName = short(params.User.Name), short(params.User.DisplayName)
		})
	}
	if err != nil {
		return CTAP1_ERR_OTHER
	}
	return CTAP2_OK
}

func hashes(rpID string, hash []byte) bool {
	sum := sha256.Sum256([]byte(rpID))
	return bytes.Equal(sum[:], hash)
}

type listedRP struct {
	RP       rpEntity `cbor:"3,keyasint"`
	RPIDHash []byte   `cbor:"4,keyasint"`
	Total    int      `cbor:"5,keyasint,omitempty"`
}

func (a *authenticator) beginRPs() (any, status) {
	seen := map[string]bool{}
	rps := a.mem.find(func(c *credential) bool {
		first := !seen[c.RPID]
		seen[c.RPID] = true
		return first
	})
	out, s := a.nextRP(&enumeration{rps: rps})
	if s != CTAP2_OK {
		return nil, CTAP2_ERR_NO_CREDENTIALS
	}
	out.Total = len(rps)
	return out, s
}

func (a *authenticator) nextRP(left *enumeration) (*listedRP, status) {
	if left == nil || len(left.rps) == 0 {
		return nil, CTAP2_ERR_NOT_ALLOWED
	}
	c := left.rps[0]
	a.managing = &enumeration{rps: left.rps[1:]}
	sum := sha256.Sum256([]byte(c.RPID))
	return &listedRP{RP: rpEntity{c.RPID, c.RPName}, RPIDHash: sum[:]}, CTAP2_OK
}

type listedCredential struct {
	User         userEntity `cbor:"6,keyasint"`
	CredentialID descriptor `cbor:"7,keyasint"`
	PublicKey    coseKey    `cbor:"8,keyasint"`
	Total        int        `cbor:"9,keyasint,omitempty"`
	CredProtect  uint64     `cbor:"10,keyasint"`
}

func (a *authenticator) beginCredentials(rpIDHash []byte) (any, status) {
	all := a.mem.find(func(c *credential) bool { return hashes(c.RPID, rpIDHash) })
	out, s := a.nextCredential(&enumeration{credentials: all})
	if s == CTAP2_ERR_NOT_ALLOWED {
		return nil, CTAP2_ERR_NO_CREDENTIALS
	}
	if s == CTAP2_OK {
		out.Total = len(all)
	}
	return out, s
}

func (a *authenticator) nextCredential(left *enumeration) (*listedCredential, status) {
	if left == nil || len(left.credentials) == 0 {
		return nil, CTAP2_ERR_NOT_ALLOWED
	}
	c := left.credentials[0]
	s, err := unwrap(a.mem.secret(), sha256.Sum256([]byte(c.RPID)), c.ID)
	if err != nil {
		return nil, CTAP1_ERR_OTHER
	}
	public, err := s.cose()
	if err != nil {
		return nil, CTAP1_ERR_OTHER
	}
	a.managing = &enumeration{credentials: left.credentials[1:]}
	return &listedCredential{
		User:         userEntity{c.UserID, c.UserName, c.DisplayName},
		CredentialID: descriptor{c.ID, publicKey}, PublicKey: public, CredProtect: s.protect,
	}, CTAP2_OK
}
