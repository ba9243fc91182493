/* What every page of the dashboard does. */
"use strict";
