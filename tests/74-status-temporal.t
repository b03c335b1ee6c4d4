#!/bin/sh
# SPDX-License-Identifier: ISC
# The tasks over HTTP on a Temporal server: the suite of the other engine.
ENGINE=temporal
export ENGINE
exec sh "$(dirname "$0")/70-status-cgi.t"
