package fido

// What the fuzz targets give the answers of real virtual keys to.
var (
	ParseCredential   = parseCredential
	ParseAssertion    = parseAssertion
	ParseStored       = parseStored
	ParseToken        = parseToken
	ParseKeyAgreement = parseKeyAgreement
)
