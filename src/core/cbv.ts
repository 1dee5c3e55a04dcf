/** The words of the GS1 Core Business Vocabulary 2.0 that EPCIS events use, as JSON has them. */

/** What was done: CBV 2.0 §7.1. */
export const BIZ_STEPS = [
  ...(['accepting', 'arriving', 'assembling', 'collecting', 'commissioning', 'consigning'] as const),
  ...(['creating_class_instance', 'cycle_counting', 'decommissioning', 'departing', 'destroying'] as const),
  ...(['disassembling', 'dispensing', 'encoding', 'entering_exiting', 'holding', 'inspecting', 'installing'] as const),
  ...(['killing', 'loading', 'other', 'packing', 'picking', 'receiving', 'removing', 'repackaging'] as const),
  ...(['repairing', 'replacing', 'reserving', 'retail_selling', 'sampling', 'sensor_reporting', 'shipping'] as const),
  ...(['staging_outbound', 'stock_taking', 'stocking', 'storing', 'transporting', 'unloading'] as const),
  ...(['unpacking', 'void_shipping'] as const),
] as const
export type BizStep = (typeof BIZ_STEPS)[number]

/** What became of it: CBV 2.0 §7.2. */
export const DISPOSITIONS = [
  ...(['active', 'available', 'completeness_inferred', 'completeness_verified', 'conformant'] as const),
  ...(['container_closed', 'container_open', 'damaged', 'destroyed', 'dispensed', 'disposed', 'encoded'] as const),
  ...(['expired', 'in_progress', 'in_transit', 'inactive', 'mismatch_class', 'mismatch_instance'] as const),
  ...(['mismatch_quantity', 'needs_replacement', 'no_pedigree_match', 'non_conformant'] as const),
  ...(['non_sellable_other', 'partially_dispensed', 'recalled', 'reserved', 'retail_sold', 'returned'] as const),
  ...(['sellable_accessible', 'sellable_not_accessible', 'stolen', 'unavailable', 'unknown'] as const),
] as const
export type Disposition = (typeof DISPOSITIONS)[number]

/** What kind of paper an event belongs to: CBV 2.0 §7.3. */
export const TRANSACTION_TYPES = [
  ...(['bol', 'cert', 'desadv', 'inv', 'pedigree', 'po', 'poc', 'prodorder', 'recadv'] as const),
  ...(['rma', 'testprd', 'testres', 'upevt'] as const),
] as const

/** What a source or destination is: CBV 2.0 §7.4. */
export const PARTY_TYPES = ['owning_party', 'possessing_party', 'location'] as const

/** Why an event is declared to be in error: CBV 2.0 §7.5. */
export const ERROR_REASONS = ['did_not_occur', 'incorrect_data'] as const

/** What a sensor measures, where it is none of other vocabularies: GS1 Web Vocabulary, MeasurementType. */
export const MEASUREMENTS = [
  ...(['AbsoluteHumidity', 'AbsorbedDose', 'AbsorbedDoseRate', 'Acceleration', 'Altitude'] as const),
  ...(['AmountOfSubstance', 'AmountOfSubstancePerUnitVolume', 'Angle', 'AngularAcceleration'] as const),
  ...(['AngularMomentum', 'AngularVelocity', 'Area', 'Capacitance', 'Conductance', 'Conductivity', 'Count'] as const),
  ...(['Density', 'Dimensionless', 'DoseEquivalent', 'DoseEquivalentRate', 'DynamicViscosity'] as const),
  ...(['ElectricCharge', 'ElectricCurrent', 'ElectricCurrentDensity', 'ElectricFieldStrength', 'Energy'] as const),
  ...(['Exposure', 'Force', 'Frequency', 'Illuminance', 'Inductance', 'Irradiance', 'KinematicViscosity'] as const),
  ...(['Length', 'LinearMomentum', 'Luminance', 'LuminousFlux', 'LuminousIntensity', 'MagneticFlux'] as const),
  ...(['MagneticFluxDensity', 'MagneticVectorPotential', 'Mass', 'MassConcentration', 'MassFlowRate'] as const),
  ...(['MassPerAreaTime', 'MemoryCapacity', 'MolalityOfSolute', 'MolarEnergy', 'MolarMass', 'MolarVolume'] as const),
  ...(['Power', 'Pressure', 'RadiantFlux', 'RadiantIntensity', 'Radioactivity', 'RelativeHumidity'] as const),
  ...(['Resistance', 'Resistivity', 'SolidAngle', 'SpecificVolume', 'Speed', 'SurfaceDensity'] as const),
  ...(['SurfaceTension', 'Temperature', 'Time', 'Torque', 'Voltage', 'Volume', 'VolumeFlowRate'] as const),
  ...(['VolumeFraction', 'VolumetricFlux', 'Wavenumber'] as const),
] as const

/** What a sensor says beside what it measures: GS1 Web Vocabulary, SensorAlertType. */
export const SENSOR_ALERTS = ['ALARM_CONDITION', 'ERROR_CONDITION'] as const

/** Of which direction or angle a measurement is: CBV 2.0 §7.8. */
export const COMPONENTS = [
  ...(['x', 'y', 'z', 'axial_distance', 'azimuth', 'height', 'spherical_radius', 'polar_angle'] as const),
  ...(['elevation_angle', 'easting', 'northing', 'latitude', 'longitude', 'altitude'] as const),
] as const
